import assert from 'node:assert/strict'
import { nano } from '@farebox/core'
import { type LedgerCase, ledgerCase } from './ledger-case.ts'
import {
  changesNothing,
  deed,
  failed,
  give,
  holdOf,
  onOwnKey,
  reserved,
  served,
  settled,
} from './requests.ts'

const settlement = { accountId: 'alice', reservationId: 'r1' }

/** Requests on a customer's own key at the provider. */
export const ownKeyCases: readonly LedgerCase[] = [
  ledgerCase(
    'failure 30: lets a request on an own key pass without credit, and charges nothing',
    async ({ ledger }) => {
      reserved(await ledger.reserve(holdOf('r1', 0n)))
      const receipt = settled(await ledger.settle({ ...settlement, attempts: [onOwnKey(70n)] }))

      assert.deepEqual([receipt.cost, receipt.charged, receipt.absorbed, receipt.paidFrom], [0n, 0n, 0n, []])
      const { charged, absorbed, spendable } = await ledger.balance('alice')
      assert.deepEqual([charged, absorbed, spendable], [0n, 0n, 0n])
    },
  ),

  ledgerCase('failure 30: books what the provider will bill the customer as a memo', async ({ ledger }) => {
    reserved(await ledger.reserve(holdOf('r1', 0n)))
    const usage = { quantities: { input_token: 12n }, certainty: 'exact' as const }
    await ledger.settle({ ...settlement, attempts: [{ ...onOwnKey(70n), usage }] })
    const [entry, ...more] = await ledger.journal('alice', 0n, 10)

    assert.deepEqual([entry?.kind, entry?.requestId, entry?.postings, more], ['settled', 'r1', [], []])
    const [attempt] = entry?.attempts ?? []
    assert.deepEqual(
      [
        attempt?.payer,
        attempt?.memoCost,
        attempt?.cost,
        attempt?.charged,
        attempt?.absorbed,
        attempt?.costSource,
      ],
      ['own-key', 70n, null, 0n, 0n, 'own-key'],
    )
    assert.deepEqual({ ...attempt?.usage?.quantities }, { input_token: 12n })
  }),

  ledgerCase('books a memo of zero, and nothing where nobody knows', async ({ ledger }) => {
    for (const [id, memoCost] of [
      ['r1', 0n],
      ['r2', undefined],
    ] as const) {
      reserved(await ledger.reserve(holdOf(id, 0n)))
      await ledger.settle({ ...settlement, reservationId: id, attempts: [onOwnKey(memoCost)] })
    }
    const entries = await ledger.journal('alice', 0n, 10)
    assert.deepEqual(
      entries.map(({ requestId }) => requestId),
      ['r1'],
    )
  }),

  ledgerCase('charges the attempts on the operator’s key of the same request', async ({ ledger }) => {
    await give(ledger, 'g1', 100n)
    reserved(await ledger.reserve(holdOf('r1', 60n)))
    const attempts = [failed(3n, 'a'), onOwnKey(70n, 'b'), served(20n, 'c')]
    const receipt = settled(await ledger.settle({ ...settlement, attempts }))

    assert.deepEqual(
      [receipt.cost, receipt.charged, receipt.absorbed, receipt.spendableAfter],
      [23n, 20n, 3n, 80n],
    )
    assert.deepEqual(receipt.attempts[2]?.payer, undefined)
  }),

  ledgerCase(
    'refuses a cost of the operator’s, or a negative memo, on an own key',
    async ({ ledger, store }) => {
      await give(ledger, 'g1', 100n)
      reserved(await ledger.reserve(holdOf('r1', 60n)))
      for (const attempt of [{ ...onOwnKey(70n), cost: nano(70n) }, onOwnKey(-1n)]) {
        await changesNothing(store, () =>
          assert.rejects(() => ledger.settle({ ...settlement, attempts: [attempt] }), /own key|negative/),
        )
      }
    },
  ),

  ledgerCase('has nothing to refund of an attempt on an own key', async ({ ledger, store }) => {
    reserved(await ledger.reserve(holdOf('r1', 0n)))
    await ledger.settle({ ...settlement, attempts: [onOwnKey(70n)] })
    const request = { ...deed('o1'), requestId: 'r1', attemptId: 'attempt' }
    const result = await changesNothing(store, () => ledger.refund(request))
    assert.deepEqual(result, { outcome: 'above-refundable', refundable: 0n })
  }),

  ledgerCase('books the API key that asked', async ({ ledger, store }) => {
    await give(ledger, 'g1', 100n)
    const subject = { model: 'model', keyId: 'key-7', costProviderIds: [], attemptsMax: 1 }
    const request = holdOf('r1', 60n, { subject })
    reserved(await ledger.reserve(request))
    const other = { ...request, subject: { ...subject, keyId: 'key-8' } }
    assert.equal((await changesNothing(store, () => ledger.reserve(other))).outcome, 'conflict')
    await ledger.settle({ ...settlement, attempts: [served(20n)] })
    const [entry] = await ledger.journal('alice', 1n, 1)
    assert.equal(entry?.terms?.['keyId'], 'key-7')
  }),
]
