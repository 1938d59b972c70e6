export { SimulationError, type SimulationOptions, type SimulationReport, simulate } from './simulate.ts'
export type { Breakage } from './simulation.ts'
