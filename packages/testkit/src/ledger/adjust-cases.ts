import assert from 'node:assert/strict'
import { type AdjustResult, type Ledger, nano, usd } from '@farebox/core'
import { type LedgerCase, ledgerCase } from './ledger-case.ts'
import {
  changesNothing,
  counters,
  deed,
  give,
  graceMs,
  holdOf,
  minute,
  refused,
  reserved,
  settleAt,
  sources,
  spend,
} from './requests.ts'

async function adjust(ledger: Ledger, opId: string, amount: bigint): Promise<AdjustResult> {
  return ledger.adjust({ ...deed(opId), amount: nano(amount) })
}

function parts(result: AdjustResult): [string, bigint][] {
  assert.equal(result.outcome, 'adjusted')
  return sources((result as Extract<AdjustResult, { outcome: 'adjusted' }>).parts)
}

/** Corrections by hand. */
export const adjustCases: readonly LedgerCase[] = [
  ledgerCase('gives courtesy credit to an account that owes nothing', async ({ ledger }) => {
    assert.deepEqual(parts(await adjust(ledger, 'o1', 70n)), [['grant:op:1:o1', 70n]])
    const { spendable, purchased } = await ledger.balance('alice')
    assert.deepEqual([spendable, purchased], [70n, 70n])
    const kinds = (await ledger.journal('alice', 0n, 10)).map(({ kind }) => kind)
    assert.deepEqual(kinds, ['adjusted', 'granted'])
  }),

  ledgerCase('lowers what is owed first, and gives the rest as credit', async ({ ledger }) => {
    await ledger.configure({ accountId: 'alice', planId: 'metered' })
    await spend(ledger, 'r1', usd('0.40'))
    assert.deepEqual(parts(await adjust(ledger, 'o1', usd('0.15'))), [['overage:2026-11', usd('0.15')]])
    assert.equal((await ledger.balance('alice')).overage.used, usd('0.25'))
    assert.deepEqual(parts(await adjust(ledger, 'o2', usd('0.30'))), [
      ['overage:2026-11', usd('0.25')],
      ['grant:op:1:o2', usd('0.05')],
    ])
    const { overage, spendable, charged } = await ledger.balance('alice')
    assert.deepEqual([overage.used, spendable, charged], [0n, usd('1.05'), usd('0.40')])
  }),

  ledgerCase('takes credit in draw order, then adds to what is owed', async ({ ledger, store }) => {
    await ledger.configure({ accountId: 'alice', planId: 'metered' })
    await give(ledger, 'g1', 50n)
    await give(ledger, 'g2', 60n)
    assert.deepEqual(parts(await adjust(ledger, 'o1', -70n)), [
      ['grant:g1', 50n],
      ['grant:g2', 20n],
    ])
    assert.equal((await counters(store, 'g2'))['voided'], 20n)
    assert.deepEqual(parts(await adjust(ledger, 'o2', -100n)), [
      ['grant:g2', 40n],
      ['overage:2026-11', 60n],
    ])
    const { overage, charged } = await ledger.balance('alice')
    assert.deepEqual([overage.used, charged], [60n, 0n])
  }),

  ledgerCase(
    'failure 6: takes exactly what there is and refuses one nano more without writing',
    async ({ ledger, store }) => {
      await ledger.configure({ accountId: 'alice', planId: 'metered' })
      await give(ledger, 'g1', 50n)
      const all = usd('1.00') + 50n
      const refusal = await changesNothing(store, () => adjust(ledger, 'o1', -all - 1n))
      assert.deepEqual(refusal, { outcome: 'insufficient', missing: 1n, spendable: all })
      parts(await adjust(ledger, 'o1', -all))
      assert.equal((await ledger.balance('alice')).spendable, 0n)
    },
  ),

  ledgerCase('takes nothing that is held for a request', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('r1', 60n)))
    assert.equal((await adjust(ledger, 'o1', -41n)).outcome, 'insufficient')
    parts(await adjust(ledger, 'o2', -40n))
    assert.equal((await settleAt(ledger, 'r1', 60n)).absorbed, 0n)
  }),

  ledgerCase(
    'failure 3: is never refused because of expired holds, however many there are',
    async ({ ledger, clock }) => {
      await give(ledger, 'g1', 100n)
      for (let index = 0; index < 40; index += 1) reserved(await ledger.reserve(holdOf(`old${index}`, 2n)))
      clock.advance(minute + graceMs)
      parts(await adjust(ledger, 'o1', -100n))
      refused(await ledger.reserve(holdOf('r1', 1n)))
    },
  ),

  ledgerCase(
    'failure 29: adjusts once for one id, also after the balance changed',
    async ({ ledger, store }) => {
      await give(ledger, 'g1', 100n)
      const first = await adjust(ledger, 'o1', -60n)
      await spend(ledger, 'r1', 40n)

      assert.deepEqual(await changesNothing(store, () => adjust(ledger, 'o1', -60n)), first)
      assert.equal((await changesNothing(store, () => adjust(ledger, 'o1', -61n))).outcome, 'conflict')
    },
  ),

  ledgerCase('may be sent again after it was refused', async ({ ledger }) => {
    assert.equal((await adjust(ledger, 'o1', -60n)).outcome, 'insufficient')
    await give(ledger, 'g1', 60n)
    parts(await adjust(ledger, 'o1', -60n))
  }),

  ledgerCase('books the amount, who adjusted, and why', async ({ ledger }) => {
    await adjust(ledger, 'o1', 70n)
    const [entry] = await ledger.journal('alice', 0n, 1)

    assert.deepEqual([entry?.kind, entry?.opId, entry?.postings], ['adjusted', 'op:o1', []])
    assert.deepEqual(
      { ...entry?.terms },
      {
        amount: 70n,
        periodKey: '2026-11',
        actor: 'support',
        reason: 'a test',
      },
    )
  }),

  ledgerCase(
    'corrects an account with 64 open grants as long as that gives no credit',
    async ({ ledger }) => {
      await ledger.configure({ accountId: 'alice', planId: 'metered' })
      await spend(ledger, 'r1', 20n)
      for (let index = 1; index <= 64; index += 1) await give(ledger, `g${index}`, 10n)
      assert.equal((await ledger.adjust({ ...deed('lower'), amount: nano(20n) })).outcome, 'adjusted')
      assert.equal((await ledger.adjust({ ...deed('take'), amount: nano(-5n) })).outcome, 'adjusted')
      assert.equal((await ledger.adjust({ ...deed('give'), amount: nano(1n) })).outcome, 'too-many-grants')
    },
  ),

  ledgerCase('gives no more credit to an account with 64 open grants', async ({ ledger, store }) => {
    for (let index = 1; index <= 64; index += 1) await give(ledger, `g${index}`, 10n)
    const result = await changesNothing(store, () => adjust(ledger, 'o1', 1n))
    assert.deepEqual(result, { outcome: 'too-many-grants', max: 64 })
  }),

  ledgerCase('refuses an adjustment of nothing', async ({ ledger, store }) => {
    await give(ledger, 'g1', 1n)
    await changesNothing(store, () => assert.rejects(() => adjust(ledger, 'o1', 0n), RangeError))
  }),

  ledgerCase('keeps the ids of credit that it gives for itself', async ({ ledger, store }) => {
    await give(ledger, 'g1', 1n)
    const request = { accountId: 'alice', grantId: 'op:1:o1', amount: nano(1n) }
    await changesNothing(store, () => assert.rejects(() => ledger.grant(request), RangeError))
  }),
]
