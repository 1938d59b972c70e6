import {
  createLedger,
  fakeClock,
  type Ledger,
  type LedgerStore,
  memoryStorage,
  type Put,
  type Value,
} from '@farebox/core'
import { describe, expect, it } from 'vitest'
import { readJournal } from '../ledger/check-invariants.ts'
import { casePlans } from '../ledger/ledger-case.ts'
import { deed, failed, holdOf, refunded, served, settled } from '../ledger/requests.ts'
import { aroundReducers } from '../storage/reducers.ts'
import { checkInvoices, checkUsage } from './sums.ts'

/** An account that used something last month, on a store that keeps what `change` makes of each record. */
async function lastMonth(change: (put: Put) => readonly Put[] = (put) => [put]) {
  const clock = fakeClock(Date.UTC(2026, 10, 10))
  const { ledger: store } = memoryStorage({ clock })
  const ledger = createLedger({ store: changing(store, change), plans: casePlans, clock })
  await ledger.configure({ accountId: 'alice', planId: 'metered' })
  await ledger.reserve(holdOf('r1', 90n))
  const attempts = [failed(7n, 'r1.1'), served(50n, 'r1.2')]
  settled(await ledger.settle({ accountId: 'alice', reservationId: 'r1', attempts }))
  refunded(await ledger.refund({ ...deed('o1'), requestId: 'r1', attemptId: 'r1.2' }))
  clock.set(Date.UTC(2026, 11, 1))
  return { ledger, entries: await readJournal(store, 'alice') }
}

function changing(store: LedgerStore, change: (put: Put) => readonly Put[]): LedgerStore {
  return aroundReducers(store, (reduce) => (cut) => {
    const { result, write } = reduce(cut)
    return { result, write: write && { ...write, put: write.put?.flatMap(change) ?? [] } }
  })
}

/** A store that keeps another text of the records of this kind. */
const rewriting = (prefix: string, from: string, to: string) => (put: Put) => {
  if (!put.key.startsWith(prefix)) return [put]
  const text = JSON.stringify(put.value, (_, value) => (typeof value === 'bigint' ? `${value}n` : value))
  expect(text).toContain(from)
  const value = JSON.parse(text.replace(from, to), (_, each) =>
    typeof each === 'string' && /^-?\d+n$/.test(each) ? BigInt(each.slice(0, -1)) : each,
  ) as Value
  return [{ ...put, value }]
}

const check = async (
  checkSums: typeof checkUsage,
  { ledger, entries }: { ledger: Ledger; entries: Awaited<ReturnType<typeof readJournal>> },
) => checkSums(ledger, 'alice', entries)

describe('the sums that are kept beside a journal', () => {
  it('pass when they are what its entries add up to', async () => {
    const account = await lastMonth()
    await check(checkUsage, account)
    await check(checkInvoices, account)
  })

  it.each([
    ['"charged":"50n"', '"charged":"51n"'],
    ['"refunded":"50n"', '"refunded":"0n"'],
    ['"attempts":2', '"attempts":1'],
    ['"failed_attempt":"7n"', '"failed_attempt":"6n"'],
  ])('are found when usage has other sums: %s as %s', async (from, to) => {
    const account = await lastMonth(rewriting('usage:2', from, to))
    await expect(check(checkUsage, account)).rejects.toThrow('the sums of usage are not what')
  })

  it('are found when a day of usage is lost', async () => {
    const account = await lastMonth((put) => (put.key.startsWith('usage:2') ? [] : [put]))
    await expect(check(checkUsage, account)).rejects.toThrow('the sums of usage are not what')
  })

  it('are found when an invoice does not add up', async () => {
    const account = await lastMonth(rewriting('invoice:', '"amount":"-50n"', '"amount":"-49n"'))
    await expect(check(checkInvoices, account)).rejects.toThrow('alice:2026-11 does not add up')
  })

  it('are found when an invoice says another charge than the journal', async () => {
    const account = await lastMonth((put) =>
      rewriting(
        'invoice:',
        '"amount":"50n"',
        '"amount":"60n"',
      )(put).flatMap((each) => rewriting('invoice:', '"overage":"0n"', '"overage":"10n"')(each)),
    )
    await expect(check(checkInvoices, account)).rejects.toThrow('other charges than the journal')
  })
})
