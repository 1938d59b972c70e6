import assert from 'node:assert/strict'
import type { Entry, LedgerStore, Member, Reservation, Value } from '@farebox/core'

export interface FoldedMember {
  cap: unknown
  readonly used: Map<string, bigint>
}

export function foldMember(
  members: Map<string, FoldedMember>,
  { kind, memberId, terms, attempts }: Entry,
): void {
  if (memberId === undefined) return
  const member = members.get(memberId) ?? { cap: null, used: new Map<string, bigint>() }
  members.set(memberId, member)
  if (kind === 'capped') member.cap = terms?.['cap']
  const periodKey = terms?.['periodKey']
  if (typeof periodKey !== 'string') return
  const charged = (attempts ?? []).reduce((sum, attempt) => sum + attempt.charged, 0n)
  const refunded = kind === 'refunded' ? (terms?.['amount'] as bigint) : 0n
  member.used.set(periodKey, (member.used.get(periodKey) ?? 0n) + charged - refunded)
}

/** What is counted of members is what the journal charged them and what their open holds set aside. */
export async function checkMembers(
  ledger: LedgerStore,
  accountId: string,
  folded: ReadonlyMap<string, FoldedMember>,
  holds: readonly Reservation[],
): Promise<void> {
  const holders = holds.flatMap(({ subject: { memberId } }) => (memberId === undefined ? [] : [memberId]))
  const memberIds = [...new Set([...folded.keys(), ...holders])]
  if (memberIds.length === 0) return
  const keys = memberIds.map((memberId) => `member:${memberId}`)
  const records: ReadonlyMap<string, Value> = await ledger.transact(accountId, keys, (cut) => ({
    result: cut.records,
  }))
  for (const memberId of memberIds) {
    const member = records.get(`member:${memberId}`) as unknown as Member | undefined
    const { cap, used } = folded.get(memberId) ?? { cap: null, used: new Map<string, bigint>() }
    assert.ok(member !== undefined || cap === null, `the cap of ${memberId} was forgotten`)
    if (member === undefined) continue
    assert.equal(member.cap, cap, `${memberId} has another cap than the journal says`)
    for (const line of member.lines) {
      const what = `${memberId} in ${line.periodKey}`
      assert.equal(line.used, used.get(line.periodKey) ?? 0n, `what was used by ${what} is not the journal's`)
      assert.equal(
        line.held,
        setAsideBy(holds, (hold) => hold.subject.memberId === memberId && hold.periodKey === line.periodKey),
        `what is held by ${what} is not its holds'`,
      )
    }
  }
}

/** What some of the holds have set aside. */
export function setAsideBy(holds: readonly Reservation[], isOne: (hold: Reservation) => boolean): bigint {
  return holds
    .filter(isOne)
    .flatMap(({ parts }) => parts)
    .reduce((sum, { amount }) => sum + amount, 0n)
}
