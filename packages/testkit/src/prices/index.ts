export { type CheckChargesOptions, type CheckedCharges, checkCharges } from './check-charges.ts'
