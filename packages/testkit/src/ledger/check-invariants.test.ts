import { AssertionError } from 'node:assert/strict'
import {
  type Account,
  createLedger,
  fakeClock,
  type KeyCap,
  type Member,
  memoryStorage,
  nano,
  type Put,
  type Reservation,
  type Storage,
  type StoredEntry,
  type Value,
} from '@farebox/core'
import { describe, expect, it } from 'vitest'
import { checkInvariants, readAccount, readJournal } from './check-invariants.ts'
import { casePlans, caseStartMs } from './ledger-case.ts'
import { give, holdOf, settleAt, spend } from './requests.ts'

/** An account with a grant, pay-as-you-go, something settled and something held. */
async function inUse(): Promise<Storage> {
  const clock = fakeClock(caseStartMs)
  const storage = memoryStorage({ clock })
  const ledger = createLedger({ store: storage.ledger, plans: casePlans, clock })
  await ledger.configure({ accountId: 'alice', planId: 'metered' })
  await give(ledger, 'g1', 100n)
  await spend(ledger, 'r1', 30n)
  await ledger.reserve(holdOf('r2', 90n))
  return storage
}

async function forge(
  { ledger }: Storage,
  change: (account: Account) => Partial<Account>,
  put: readonly Put[] = [],
): Promise<void> {
  await ledger.transact('alice', [], ({ head }) => {
    const account = head as unknown as Account
    return { result: undefined, write: { head: { ...account, ...change(account) } as unknown as Value, put } }
  })
}

const check = (storage: Storage) => checkInvariants(storage, 'alice', casePlans)

/** Every grant, with this changed. */
const grants =
  (change: Partial<Account['grants'][number]>) =>
  (account: Account): Partial<Account> => ({
    grants: account.grants.map((grant) => ({ ...grant, ...change })),
  })

const line = { periodKey: '2026-11', held: nano(20n), used: nano(0n) }

describe('checkInvariants', () => {
  it('passes an account in use and one that was never written', async () => {
    const storage = await inUse()
    const reading = await check(storage)
    expect(reading.seq).toBe(3n)
    expect(await checkInvariants(storage, 'alice', casePlans, reading)).toEqual(reading)
    expect(await checkInvariants(storage, 'nobody', casePlans)).toMatchObject({ version: 0n, seq: 0n })
  })

  it.each<[string, (account: Account) => Partial<Account>]>([
    ['credit from nowhere', grants({ available: nano(1n) })],
    ['credit from nowhere that adds up', grants({ available: nano(1n), issued: nano(101n) })],
    ['credit that was never settled', grants({ settled: nano(20n), available: nano(10n) })],
    ['a negative counter', grants({ available: nano(-10n), expired: nano(10n) })],
    ['a hold that is not counted', grants({ held: nano(69n), available: nano(1n) })],
    ['another expiry than was granted', grants({ expiresAtMs: caseStartMs * 2 })],
    ['another kind than was granted', grants({ kind: 'courtesy' })],
    ['a grant that is there twice', ({ grants: [first] }) => ({ grants: first ? [first, first] : [] })],
    ['a grant that left with credit in it', () => ({ grants: [] })],
    ['more charged than was booked', () => ({ charged: nano(31n) })],
    ['more absorbed than was booked', () => ({ absorbed: nano(1n) })],
    ['more refunded than was booked', () => ({ refunded: nano(1n) })],
    ['a grant that nobody voided', grants({ isVoid: true })],
    ['an anchor day that was never set', () => ({ anchorDay: 7 })],
    ['a limit that was never set', () => ({ spendingLimit: nano(5n) })],
    ['a member cap that was never set', () => ({ memberCap: nano(5n) })],
    ['seats that were never set', () => ({ seats: 2 })],
    ['pay-as-you-go that was never booked', () => ({ overage: [{ ...line, used: nano(1n) }] })],
    ['pay-as-you-go that forgot a hold', () => ({ overage: [{ ...line, held: nano(0n) }] })],
    ['pay-as-you-go that left under a hold', () => ({ overage: [] })],
    ['a journal that it does not count', () => ({ seq: 2n })],
    ['another end of the chain', () => ({ chain: 'f'.repeat(64) })],
    ['a time before its journal', () => ({ asOfMs: caseStartMs - 1 })],
  ])('finds %s', async (_what, change) => {
    const storage = await inUse()
    await forge(storage, change)
    await expect(check(storage)).rejects.toThrow(AssertionError)
  })

  it('finds a hold whose parts are not what it holds', async () => {
    const storage = await inUse()
    const { due } = await readAccount(storage.ledger, 'alice')
    const { key, value } = due[0] as (typeof due)[number]
    const hold = value as unknown as Reservation
    const put = (changed: Partial<Reservation>): Put => ({
      key,
      value: { ...hold, ...changed } as unknown as Value,
      mode: 'replace',
      dueAt: hold.expiresAtMs,
    })
    for (const changed of [{ amount: nano(91n) }, { parts: [] }, { state: 'settled' as const }]) {
      await forge(storage, () => ({}), [put(changed)])
      await expect(check(storage)).rejects.toThrow(AssertionError)
    }
    await forge(storage, () => ({}), [put({})])
    await check(storage)
  })

  it('finds a member whose counters or cap are not what the journal and the holds say', async () => {
    const clock = fakeClock(caseStartMs)
    const storage = memoryStorage({ clock })
    const ledger = createLedger({ store: storage.ledger, plans: casePlans, clock })
    await give(ledger, 'g1', 100n)
    await ledger.capMember({ accountId: 'alice', memberId: 'ada', cap: nano(90n) })
    const subject = { model: 'model', memberId: 'ada', costProviderIds: [], attemptsMax: 1 }
    await ledger.reserve(holdOf('r1', 30n, { subject }))
    await settleAt(ledger, 'r1', 20n)
    await ledger.reserve(holdOf('r2', 40n, { subject }))
    const right: Member = {
      memberId: 'ada',
      cap: nano(90n),
      lines: [{ periodKey: '2026-11', held: nano(40n), used: nano(20n) }],
    }
    const put = (member: Member): Put => ({ key: 'member:ada', value: member as Value, mode: 'replace' })
    for (const [held, used, cap] of [
      [40n, 19n, 90n],
      [39n, 20n, 90n],
      [40n, 20n, 91n],
    ] as const) {
      const lines = [{ periodKey: '2026-11', held: nano(held), used: nano(used) }]
      await forge(storage, () => ({}), [put({ ...right, cap: nano(cap), lines })])
      await expect(check(storage)).rejects.toThrow(AssertionError)
    }
    await forge(storage, () => ({}), [put(right)])
    await check(storage)
  })

  it('finds a key whose counters are not what the journal and the holds say, or are above its cap', async () => {
    const clock = fakeClock(caseStartMs)
    const storage = memoryStorage({ clock })
    const ledger = createLedger({ store: storage.ledger, plans: casePlans, clock })
    await give(ledger, 'g1', 100n)
    for (const [per, line] of [
      ['period', '2026-11'],
      ['lifetime', 'lifetime'],
    ] as const) {
      const keyCap: KeyCap = { amount: nano(60n), per }
      const subject = { model: 'model', keyId: 'k1', keyCap, costProviderIds: [], attemptsMax: 1 }
      await ledger.reserve(holdOf(`r1 ${per}`, 10n, { subject }))
      await settleAt(ledger, `r1 ${per}`, 10n)
      await ledger.reserve(holdOf(`r2 ${per}`, 20n, { subject }))
      const put = (held: bigint, used: bigint): Put => ({
        key: `key:${per}:k1`,
        value: { keyId: 'k1', lines: [{ periodKey: line, held, used }] },
        mode: 'replace',
      })
      for (const forged of [put(20n, 9n), put(19n, 10n)]) {
        await forge(storage, () => ({}), [forged])
        await expect(check(storage)).rejects.toThrow(AssertionError)
      }
      await forge(storage, () => ({}), [put(20n, 10n)])
      await check(storage)
    }

    const keyCap: KeyCap = { amount: nano(30n), per: 'period' }
    const subject = { model: 'model', keyId: 'k2', keyCap, costProviderIds: [], attemptsMax: 1 }
    await ledger.reserve(holdOf('r3', 30n, { subject }))
    await check(storage)
    const { due } = await readAccount(storage.ledger, 'alice')
    const { key, value } = due.find((each) => each.key === 'hold:r3') as (typeof due)[number]
    const hold = value as unknown as Reservation
    const narrow = { ...hold, subject: { ...subject, keyCap: { ...keyCap, amount: nano(29n) } } }
    const put: Put = { key, value: narrow as unknown as Value, mode: 'replace', dueAt: hold.expiresAtMs }
    await forge(storage, () => ({}), [put])
    await expect(check(storage)).rejects.toThrow('key:period:k2 in 2026-11 is above its cap')
  })

  it('finds a cap for good that was forgotten', async () => {
    const clock = fakeClock(caseStartMs)
    const storage = memoryStorage({ clock })
    const ledger = createLedger({ store: storage.ledger, plans: casePlans, clock })
    await give(ledger, 'g1', 100n)
    const keyCap: KeyCap = { amount: nano(30n), per: 'lifetime' }
    const subject = { model: 'model', keyId: 'k1', keyCap, costProviderIds: [], attemptsMax: 1 }
    await ledger.reserve(holdOf('r1', 30n, { subject }))
    await settleAt(ledger, 'r1', 30n)
    const forgetful: Storage['ledger'] = {
      ...storage.ledger,
      transact: (accountId, keys, reduce, options) =>
        storage.ledger.transact(accountId, keys[0]?.startsWith('key:') ? [] : keys, reduce, options),
    }
    await check(storage)
    await expect(check({ ...storage, ledger: forgetful })).rejects.toThrow('key:lifetime:k1 was forgotten')
  })

  it('finds a journal that was changed behind the ledger’s back', async () => {
    const storage = await inUse()
    const entries = await readJournal(storage.ledger, 'alice')
    const read = async (forged: readonly StoredEntry[]) =>
      check({ ...storage, ledger: { ...storage.ledger, journal: async () => forged } })
    await read(entries)
    const changed = entries.map((entry) => ({ ...entry, text: entry.text.replace('30n', '29n') }))
    for (const forged of [changed, entries.slice(1), entries.slice(0, 2), []]) {
      await expect(read(forged)).rejects.toThrow(AssertionError)
    }
  })

  it('finds an account that went backwards', async () => {
    const storage = await inUse()
    const reading = await check(storage)
    const later = [
      { ...reading, version: reading.version + 1n },
      { ...reading, asOfMs: reading.asOfMs + 1 },
      { ...reading, seq: reading.seq + 1n },
      { ...reading, chain: 'f'.repeat(64) },
    ]
    for (const since of later) {
      await expect(checkInvariants(storage, 'alice', casePlans, since)).rejects.toThrow(AssertionError)
    }
  })
})
