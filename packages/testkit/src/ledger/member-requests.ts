import { type Ledger, type MemberBalance, nano, type ReserveRequest } from '@farebox/core'
import { give, holdOf, reserved, settleAt } from './requests.ts'

/** A hold for a request of a member. */
export function holdBy(
  memberId: string,
  reservationId: string,
  amount: bigint,
  options: Partial<ReserveRequest> = {},
): ReserveRequest {
  const { subject } = holdOf(reservationId, amount, options)
  return { ...holdOf(reservationId, amount, options), subject: { ...subject, memberId } }
}

export async function spendBy(
  ledger: Ledger,
  memberId: string,
  requestId: string,
  amount: bigint,
): Promise<void> {
  reserved(await ledger.reserve(holdBy(memberId, requestId, amount)))
  await settleAt(ledger, requestId, amount)
}

export function member(ledger: Ledger, memberId: string): Promise<MemberBalance> {
  return ledger.memberBalance({ accountId: 'alice', memberId })
}

/** `[used, held, left]` of a member. */
export async function counted(ledger: Ledger, memberId: string): Promise<(bigint | null)[]> {
  const { used, held, left } = await member(ledger, memberId)
  return [used, held, left]
}

/** Credit of 1,000 for alice, and so much for each of her members. */
export async function capped(ledger: Ledger, memberCap: bigint): Promise<void> {
  await ledger.configure({ accountId: 'alice', planId: 'bare', memberCap: nano(memberCap) })
  await give(ledger, 'g1', 1000n)
}
