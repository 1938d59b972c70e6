/** Which accounts other processes write too at the moment, so that their turn is waited for instead of raced for. */
export interface Contention {
  isContended(accountId: string): boolean
  /** Says whether somebody else had written since this process did. */
  note(accountId: string, wasWritten: boolean): void
}

const accountsMax = 10_000
/** So many turns without another writer, and racing is cheaper again. */
const calmTurns = 4

export function contention(): Contention {
  const calmSince = new Map<string, number>()
  return {
    isContended: (accountId) => calmSince.has(accountId),
    note(accountId, wasWritten) {
      const calm = wasWritten ? 0 : (calmSince.get(accountId) ?? calmTurns) + 1
      calmSince.delete(accountId)
      if (calm > calmTurns) return
      calmSince.set(accountId, calm)
      for (const oldest of calmSince.keys()) {
        if (calmSince.size <= accountsMax) break
        calmSince.delete(oldest)
      }
    },
  }
}
