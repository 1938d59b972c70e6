import {
  bearerKey,
  type CatalogRow,
  formatUsd,
  type GatewayRequest,
  memoryStorage,
  nano,
  type Principal,
  perUnit,
  usd,
} from '@farebox/core'
import {
  type Answer,
  chatBody,
  type Question,
  type Rig,
  type RigOptions,
  startRig,
} from '@farebox/testkit/adapter'
import { describe, expect, it } from 'vitest'
import { expressHost } from './express-host.ts'

/** Two members of an organisation, each with an account of their own, and somebody who does not belong to it. */
const people: Readonly<Record<string, Principal>> = {
  ada: { accountId: 'ada', payers: [{ accountId: 'org:acme', name: 'acme' }] },
  bob: { accountId: 'bob', payers: [{ accountId: 'org:acme', name: 'acme', memberId: 'bob@acme' }] },
  cyd: { accountId: 'cyd', payers: [{ accountId: 'org:acme', name: 'acme' }], defaultPayer: 'acme' },
  eve: { accountId: 'eve' },
}

/** A cent a token, the dearest that a row may be: a thousand of them cost more than two seats have. */
const dear: CatalogRow = {
  providerId: 'cerebras',
  providerModel: 'sim/dear',
  model: 'test/dear',
  operation: 'chat',
  price: { input_token: perUnit('0.01'), output_token: perUnit('0.01') },
  source: 'https://example.com/test',
  readOn: '2026-11-22',
}

const gateway: NonNullable<RigOptions['gateway']> = {
  authenticate: (request) => people[bearerKey(request) ?? ''],
  catalog: [dear],
}

async function withOrganisation(run: (rig: Rig) => Promise<void>): Promise<void> {
  const rig = await startRig(expressHost, { gateway })
  try {
    await rig.gateway.accounts.configure({
      accountId: 'org:acme',
      planId: 'team',
      seats: 2,
      spendingLimit: usd('0'),
    })
    await run(rig)
  } finally {
    await rig.close()
  }
}

function ask(rig: Rig, person: string, billTo?: string, body: object = chatBody()): Promise<Answer> {
  return rig.client.ask({ path: '/v1/chat/completions', headers: headersOf(person, billTo), body })
}

function look(rig: Rig, path: string, person: string, billTo?: string): Promise<Answer> {
  return rig.client.ask({ path, headers: headersOf(person, billTo) })
}

function headersOf(person: string, billTo?: string): NonNullable<Question['headers']> {
  return { authorization: `Bearer ${person}`, ...(billTo === undefined ? {} : { 'x-hf-bill-to': billTo }) }
}

async function charged(rig: Rig, accountId: string): Promise<bigint> {
  return (await rig.gateway.accounts.balance(accountId)).charged
}

describe('an organisation with two members, over HTTP', () => {
  it('pays for both when they bill it, and its books say who asked', async () => {
    await withOrganisation(async (rig) => {
      for (const person of ['ada', 'bob']) expect((await ask(rig, person, 'acme')).status).toBe(200)

      expect(rig.receipts.map(({ accountId, memberId }) => [accountId, memberId])).toEqual([
        ['org:acme', 'ada'],
        ['org:acme', 'bob@acme'],
      ])
      const total = rig.simulator.served.reduce((sum, { costNanoUsd }) => sum + costNanoUsd, 0n)
      expect(total).toBeGreaterThan(0n)
      expect(await charged(rig, 'org:acme')).toBe(total)
      expect(await charged(rig, 'ada')).toBe(0n)
      expect(await charged(rig, 'bob')).toBe(0n)
    })
  })

  it('does not pay for a request that names nobody: the member does', async () => {
    await withOrganisation(async (rig) => {
      expect((await ask(rig, 'ada')).status).toBe(200)

      expect(await charged(rig, 'org:acme')).toBe(0n)
      expect(await charged(rig, 'ada')).toBe(rig.simulator.served[0]?.costNanoUsd)
    })
  })

  it('pays for who has it as default payer, unless the request says otherwise', async () => {
    await withOrganisation(async (rig) => {
      await ask(rig, 'cyd')
      await ask(rig, 'cyd', 'cyd')

      expect(rig.receipts.map(({ accountId, memberId }) => [accountId, memberId])).toEqual([
        ['org:acme', 'cyd'],
        ['cyd', undefined],
      ])
    })
  })

  it('is not billed by who does not belong to it, and nobody is billed instead', async () => {
    await withOrganisation(async (rig) => {
      for (const name of ['acme', 'org:acme', 'ada']) {
        const answer = await ask(rig, 'eve', name)
        expect(answer.status).toBe(403)
        expect(answer.json()).toMatchObject({ error: { code: 'payer_not_allowed', payer: name } })
        expect(answer.headers['x-error-message']).toContain(`'${name}'`)
        expect(answer.headers['x-should-retry']).toBe('false')
      }

      expect(rig.simulator.requests).toHaveLength(0)
      for (const account of ['eve', 'ada', 'org:acme']) expect(await charged(rig, account)).toBe(0n)
    })
  })

  it('is named when its credit is used up, and the member’s own credit stays untouched', async () => {
    await withOrganisation(async (rig) => {
      const content = 'x'.repeat(1_000)
      const answer = await ask(
        rig,
        'ada',
        'acme',
        chatBody({ model: dear.model, messages: [{ role: 'user', content }] }),
      )

      expect(answer.status).toBe(402)
      const { error } = answer.json() as { error: Record<string, unknown> }
      expect(error).toMatchObject({ code: 'insufficient_credits', payer: 'acme' })
      expect(error['message']).toContain("that 'acme' has left")
      expect(error['message']).toContain('exceeded your monthly included credits')
      expect(await charged(rig, 'ada')).toBe(0n)
    })
  })
})

describe('a member with a cap', () => {
  it('is refused at it, while the other goes on', async () => {
    await withOrganisation(async (rig) => {
      const { accounts } = rig.gateway
      await accounts.configure({ accountId: 'org:acme', planId: 'team', memberCap: usd('0.05') })
      await accounts.capMember({ accountId: 'org:acme', memberId: 'ada', cap: usd('0') })
      const answer = await ask(rig, 'ada', 'acme')

      expect(answer.status).toBe(402)
      expect(answer.json()).toMatchObject({
        error: { code: 'insufficient_credits', payer: 'acme', limit: 'member-cap', member_cap_usd: '0.00' },
      })
      expect(rig.simulator.requests).toHaveLength(0)
      expect((await ask(rig, 'bob', 'acme')).status).toBe(200)
      expect((await ask(rig, 'ada')).status, 'on their own account').toBe(200)
    })
  })

  it('sees what is left of it among the credits', async () => {
    await withOrganisation(async (rig) => {
      const { accounts } = rig.gateway
      await accounts.configure({ accountId: 'org:acme', planId: 'team', memberCap: usd('0.05') })
      await ask(rig, 'bob', 'acme')
      const { used } = await accounts.member({ accountId: 'org:acme', memberId: 'bob@acme' })

      expect(used).toBe(rig.simulator.served[0]?.costNanoUsd)
      expect((await look(rig, '/v1/credits', 'bob', 'acme')).json()).toMatchObject({
        account: 'org:acme',
        spendable: formatUsd(nano(usd('0.05') - used)),
        member: { id: 'bob@acme', cap: '0.05', used: formatUsd(used), held: '0.00' },
      })
      expect((await look(rig, '/v1/credits', 'ada')).json()).not.toHaveProperty('member')
    })
  })
})

describe('what an account has and what its requests cost', () => {
  it('is shown to who may bill it, and to nobody else', async () => {
    await withOrganisation(async (rig) => {
      const answer = await ask(rig, 'ada', 'acme')
      const receipt = `/v1/receipts/${answer.headers['x-farebox-receipt']}`

      expect((await look(rig, '/v1/credits', 'ada')).json()).toMatchObject({ account: 'ada', plan: 'free' })
      expect((await look(rig, '/v1/credits', 'bob', 'acme')).json()).toMatchObject({
        account: 'org:acme',
        plan: 'team',
      })
      expect((await look(rig, '/v1/credits', 'cyd')).json()).toMatchObject({ account: 'org:acme' })
      expect((await look(rig, receipt, 'ada', 'acme')).json()).toMatchObject({
        account: 'org:acme',
        member: 'ada',
      })
      // A receipt belongs to the account that paid, not to who asked.
      expect((await look(rig, receipt, 'ada')).status).toBe(404)
      for (const path of ['/v1/credits', receipt]) {
        expect((await look(rig, path, 'eve', 'acme')).status).toBe(403)
        expect((await look(rig, path, 'eve', 'org:acme')).status).toBe(403)
      }
      expect((await look(rig, receipt, 'eve')).status).toBe(404)
    })
  })

  it('does not depend on who pays where nothing is paid', async () => {
    await withOrganisation(async (rig) => {
      expect((await look(rig, '/v1/models', 'eve', 'acme')).status).toBe(200)
    })
  })
})

describe('a provider that an account has disabled', () => {
  const order = { model: 'openai/gpt-oss-120b:preferred' }

  it('gets none of its requests from the next one on, and all requests of others', async () => {
    await withOrganisation(async (rig) => {
      const { accounts } = rig.gateway
      expect((await ask(rig, 'ada', 'acme', chatBody(order))).headers['x-inference-provider']).toBe(
        'cerebras',
      )
      await accounts.changeSettings({ accountId: 'org:acme', disabledProviders: ['cerebras'] })

      expect((await ask(rig, 'ada', 'acme', chatBody(order))).headers['x-inference-provider']).toBe(
        'together',
      )
      expect((await ask(rig, 'ada', 'ada', chatBody(order))).headers['x-inference-provider']).toBe('cerebras')
      await accounts.changeSettings({ accountId: 'org:acme', disabledProviders: [] })
      expect((await ask(rig, 'ada', 'acme', chatBody(order))).headers['x-inference-provider']).toBe(
        'cerebras',
      )
      expect(await accounts.settings('org:acme')).toEqual({ disabledProviders: [], defaultPayer: null })
    })
  })

  it('is not tried when the others fail', async () => {
    await withOrganisation(async (rig) => {
      await rig.gateway.accounts.changeSettings({ accountId: 'ada', disabledProviders: ['cerebras'] })
      rig.simulator.fault('together', { kind: 'status', status: 503 })

      expect((await ask(rig, 'ada')).status).toBe(502)
      expect(rig.simulator.requests.map(({ provider }) => provider)).not.toContain('cerebras')
    })
  })

  it('is named when no other has the model, and nothing is held', async () => {
    await withOrganisation(async (rig) => {
      const disabledProviders = ['cerebras', 'together']
      await rig.gateway.accounts.changeSettings({ accountId: 'org:acme', disabledProviders })
      const answer = await ask(rig, 'ada', 'acme')

      expect(answer.status).toBe(400)
      expect(answer.json()).toMatchObject({
        error: { code: 'model_not_supported', param: 'model', payer: 'acme', disabled: disabledProviders },
      })
      expect(answer.text).toContain("Disabled for 'acme': cerebras, together.")
      expect(rig.simulator.requests).toHaveLength(0)
      expect((await rig.gateway.accounts.balance('org:acme')).held).toBe(0n)
    })
  })
})

describe('a default payer that an account has set', () => {
  it('pays from the next request on, and nobody does once the caller may not bill it any more', async () => {
    await withOrganisation(async (rig) => {
      const { accounts } = rig.gateway
      await accounts.changeSettings({ accountId: 'ada', defaultPayer: 'acme' })
      await accounts.changeSettings({ accountId: 'eve', defaultPayer: 'acme' })

      expect((await ask(rig, 'ada')).status).toBe(200)
      expect(rig.receipts.at(-1)).toMatchObject({ accountId: 'org:acme', memberId: 'ada' })
      expect((await ask(rig, 'eve')).json()).toMatchObject({
        error: { code: 'payer_not_allowed', payer: 'acme' },
      })
      expect((await ask(rig, 'eve', 'eve')).status).toBe(200)
    })
  })
})

describe('a storage without documents', () => {
  const bare: RigOptions = { gateway: { ...gateway, storage: { ledger: memoryStorage().ledger } } }

  it('serves, knows what the host says is disabled, and refuses what would have to be kept', async () => {
    const eve: Principal = { accountId: 'eve', disabledProviders: ['cerebras', 'together'] }
    const authenticate = (request: GatewayRequest) => (bearerKey(request) === 'eve' ? eve : people['ada'])
    const rig = await startRig(expressHost, { gateway: { ...bare.gateway, authenticate } })
    try {
      expect((await ask(rig, 'ada', 'acme')).status).toBe(200)
      expect((await ask(rig, 'eve')).json()).toMatchObject({ error: { code: 'model_not_supported' } })
      const { accounts } = rig.gateway
      await expect(accounts.changeSettings({ accountId: 'ada', disabledProviders: [] })).rejects.toThrow(
        /storage with `keys`/,
      )
      await expect(accounts.settings('ada')).rejects.toThrow(RangeError)
    } finally {
      await rig.close()
    }
  })
})
