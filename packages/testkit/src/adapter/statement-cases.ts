import assert from 'node:assert/strict'
import type { AdapterCase } from './adapter-host.ts'
import { chat, chatModel } from './questions.ts'
import { accountId, adapterCase, authorization, type Rig } from './rig.ts'

interface Shown {
  readonly data: readonly Readonly<Record<string, unknown>>[]
  readonly total: Readonly<Record<string, unknown>>
  readonly error: { readonly message: string; readonly param: string | null; readonly code: string }
}

/** What an account reads of its usage and its bills. */
export const statementCases: readonly AdapterCase[] = [
  adapterCase('tells an account its usage, grouped as its query says', {}, async (rig) => {
    for (const say of [3, 4]) assert.equal((await rig.client.ask(chat({ say }))).status, 200)
    await rig.quiet()
    const { data, total } = await read(rig, '/v1/usage?group_by=model,day')
    const charged = rig.receipts.reduce((sum, receipt) => sum + receipt.charged, 0n)
    const { charged: spent } = await rig.balance()

    assert.deepEqual(
      data.map(({ model, requests }) => [model, requests]),
      [[chatModel, 2]],
    )
    assert.match(String(data[0]?.['day']), /^\d{4}-\d\d-\d\d$/)
    assert.deepEqual(
      { ...data[0], model: undefined, day: undefined },
      { ...total, model: undefined, day: undefined },
    )
    assert.equal(charged, spent)
    assert.equal(
      total['charged'],
      ((await read(rig, '/v1/credits')) as unknown as { charged_total: string }).charged_total,
    )
  }),

  adapterCase('refuses a query it does not understand, and says which part', {}, async (rig) => {
    const refused = [
      ['/v1/usage?from=yesterday', 'from'],
      ['/v1/usage?from=2026-01-01&to=2027-06-01', 'from'],
      ['/v1/usage?group_by=colour', 'group_by'],
      ['/v1/usage?groupBy=day', 'groupBy'],
      ['/v1/usage?limit=0', 'limit'],
      ['/v1/invoices?limit=many', 'limit'],
      ['/v1/invoices/2026-11?x=1', 'x'],
      ['/api/settings/billing/usage-v2?startDate=1796083200000', 'startDate'],
    ]
    for (const [path = '', param] of refused) {
      const answer = await rig.client.ask({ path, headers: authorization })
      assert.equal(answer.status, 400, path)
      const { error } = answer.json() as Shown
      assert.deepEqual([error.code, error.param], ['invalid_request', param], path)
    }
  }),

  adapterCase('shows nothing of an account to whoever has no key', {}, async (rig) => {
    for (const path of [
      '/v1/usage',
      '/v1/invoices',
      '/v1/invoices/2026-11',
      '/api/settings/billing/usage-v2',
    ]) {
      assert.equal((await rig.client.ask({ path })).status, 401, path)
    }
  }),

  adapterCase('has no invoice for a period that was not closed', {}, async (rig) => {
    assert.deepEqual((await read(rig, '/v1/invoices')).data, [])
    const answer = await rig.client.ask({ path: '/v1/invoices/2026-11', headers: authorization })
    assert.equal(answer.status, 404)
    assert.equal((answer.json() as Shown).error.code, 'invoice_not_found')
  }),

  adapterCase('tells usage as the Hub does', {}, async (rig) => {
    assert.equal((await rig.client.ask(chat())).status, 200)
    await rig.quiet()
    const { usage } = (await read(rig, '/api/settings/billing/usage-v2')) as unknown as HubUsage
    const { charged, includedIssued } = await rig.gateway.accounts.balance(accountId)

    assert.deepEqual(
      [usage.inferenceProviders.usedNanoUsd, usage.inferenceProviders.numRequests],
      [Number(charged), 1],
    )
    assert.equal(usage.inferenceProviders.includedNanoUsd, Number(includedIssued))
    assert.equal(usage.inferenceProviders.limitNanoUsd, Number(includedIssued))
  }),
]

interface HubUsage {
  readonly usage: {
    readonly inferenceProviders: Readonly<
      Record<'usedNanoUsd' | 'includedNanoUsd' | 'limitNanoUsd' | 'numRequests', number>
    >
  }
}

async function read(rig: Rig, path: string): Promise<Shown> {
  const answer = await rig.client.ask({ path, headers: authorization })
  assert.equal(answer.status, 200, path)
  return answer.json() as Shown
}
