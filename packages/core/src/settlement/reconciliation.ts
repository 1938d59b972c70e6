import type { Clock } from '../clock.ts'
import { recurring } from '../recurring.ts'
import { type ReconcileOptions, type ReconcileReport, reconcile } from './reconcile.ts'

export interface ReconciliationOptions extends ReconcileOptions {
  readonly clock: Clock
  /** How often it runs by itself; 0 for never. */
  readonly everyMs: number
  /** Other work that nobody waits for, done after each run. */
  readonly chores: readonly (() => Promise<unknown>)[]
}

/** Finds out costs that are still unknown: by itself, and when asked. */
export interface Reconciliation {
  run(): Promise<ReconcileReport>
  /** Does not run by itself any more. Resolves when a run under way is over. */
  stop(): Promise<void>
}

export function createReconciliation(options: ReconciliationOptions): Reconciliation {
  async function run(): Promise<ReconcileReport> {
    const report = await reconcile(options)
    for (const chore of options.chores) await chore()
    return report
  }

  // A run that breaks off, such as on a store that is down, is told and tried again with the next one.
  const runAndTell = async () => {
    try {
      await run()
    } catch (cause) {
      options.onEvent({ kind: 'reconcile.failed', accountId: null, cause })
    }
  }
  const running = options.everyMs === 0 ? undefined : recurring(options.clock, options.everyMs, runAndTell)
  return { run, stop: async () => running?.stop() }
}
