import { createGateway, formatUsd } from '@farebox/core'
import { cerebras } from '@farebox/core/providers/cerebras'
import { replicate } from '@farebox/core/providers/replicate'
import { together } from '@farebox/core/providers/together'
import { bringOwnKeys, demoAccounts } from '@farebox/example-quickstart/demo.js'
import { simulateMissing } from '@farebox/example-quickstart/providers.js'
import pino from 'pino'
import { createSessions } from './sessions.js'
import { openStorage } from './storage.js'

/**
 * Everything of the product that no framework has a part in. `principalOf` tells who pays from the request of the framework,
 * where its own middleware has put it.
 */
export async function createProduct(settings, principalOf) {
  const log = pino({
    level: settings.logLevel,
    redact: ['req.headers.authorization', 'req.headers["x-api-key"]', 'req.headers.cookie'],
  })
  const sessions = createSessions(settings.sessionSecret)
  const upstream = await simulateMissing({
    cerebras: process.env.CEREBRAS_API_KEY,
    together: process.env.TOGETHER_API_KEY,
    replicate: process.env.REPLICATE_API_TOKEN,
  })
  const { storage, close: closeStorage } = await openStorage(settings.storage, log)
  const gateway = createGateway({
    providers: [cerebras(upstream.cerebras), together(upstream.together), replicate(upstream.replicate)],
    catalog: upstream.catalog,
    storage,
    keyRing: [{ id: 'demo', key: settings.encryptionKey }],
    authenticate: ({ host }) => principalOf(host),
    onEvent: (event) => tell(log, event),
  })
  for (const account of demoAccounts) await gateway.accounts.configure(account)
  await bringOwnKeys(gateway, upstream)
  await gateway.reconcile()
  return {
    gateway,
    log,
    sessions,
    upstream,
    /** What a page of the product shows of the account of whoever is signed in. */
    async credit({ accountId }) {
      const { planId, spendable, held } = await gateway.accounts.balance(accountId)
      return { plan: planId, spendable: formatUsd(spendable), held: formatUsd(held) }
    },
    /** For after the server has stopped. */
    async close() {
      await gateway.close()
      await closeStorage()
      await upstream.close()
    },
  }
}

/** Requests are logged by the server; this is what happens inside them, and between them. */
function tell(log, { kind, cause, receipt, ...facts }) {
  if (kind === 'settle.failed') log.error({ ...facts, err: cause }, kind)
  else if (kind === 'attempt.failed') log.warn(facts, kind)
  else if (kind === 'request.settled') {
    const { requestId, accountId, memberId, charged } = receipt
    log.info({ requestId, accountId, memberId, charged: formatUsd(charged) }, kind)
  } else log.debug(facts, kind)
}
