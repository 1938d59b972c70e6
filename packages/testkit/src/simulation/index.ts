export { type HistoryReport, simulateHistory } from './ledger-history.ts'
export { SimulationError, type SimulationOptions, type SimulationReport, simulate } from './simulate.ts'
export type { Breakage } from './simulation.ts'
