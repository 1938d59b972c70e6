// A server for tests that need it in a process of its own, on the store at this address, against providers simulated
// elsewhere. Configured by FAREBOX_TEST, as JSON.
import { bearerKey, createGateway, perMillion, planPreset, usd } from '@farebox/core'
import { cerebras } from '@farebox/core/providers/cerebras'
import { together } from '@farebox/core/providers/together'
import { middleware } from '@farebox/express'
import express from 'express'
import { open } from '../stores/open.js'
import { killAt } from './kill-at.js'

const { address, providers, outputPrice, planId, lease, killed, tellsSettled } = JSON.parse(
  process.env.FAREBOX_TEST,
)
const { storage } = await open(address)

const gateway = createGateway({
  providers: [cerebras(providers.cerebras), together(providers.together)],
  storage: killed === undefined ? storage : killAt(storage, killed),
  // Written to a pipe before anything else is done: what was told is known to the parent, however this process ends.
  ...(tellsSettled && {
    onEvent: (event) => {
      if (event.kind === 'request.settled') console.log(`settled ${event.receipt.requestId}`)
    },
  }),
  ...(lease && {
    plans: {
      ...planPreset('hf-2026-02-04'),
      defaultPlanId: 'leased',
      plans: [
        {
          planId: 'leased',
          subscriptionPrice: undefined,
          includedCredit: { amount: usd(lease.included), per: 'account' },
          overage: 'hard-stop',
          lease: { most: usd(lease.most) },
        },
      ],
    },
  }),
  authenticate: (request) => {
    const accountId = bearerKey(request)
    return accountId === undefined ? undefined : { accountId }
  },
  catalog: [
    {
      providerId: 'cerebras',
      providerModel: 'sim/ok',
      model: 'test/output-only',
      operation: 'chat',
      price: { input_token: perMillion('0'), output_token: perMillion(outputPrice ?? '1') },
      limits: { contextTokens: 100_000, outputTokens: 1_000 },
      source: 'https://example.com/test',
      readOn: '2026-11-22',
    },
  ],
})
if (planId !== undefined) await gateway.accounts.configure({ accountId: 'alice', planId })

const server = express()
  .use('/ai', middleware(gateway))
  .listen(Number(process.env.PORT), '127.0.0.1', () => {
    console.log(`farebox ready http://127.0.0.1:${server.address().port}/ai/v1`)
  })
// The parent is gone: so are we.
process.on('disconnect', () => process.exit(1))
