import { bearerKey, createGateway, type LedgerStore, Unavailable } from '@farebox/core'
import { cerebras } from '@farebox/core/providers/cerebras'
import { together } from '@farebox/core/providers/together'
import { expressHost } from '../express-host.ts'
import type { StoreServer } from '../stores/store-kinds.ts'

interface ProviderOptions {
  readonly apiKey: string
  readonly baseUrl: string
  readonly costUrl: string
}

/**
 * A server in this very process, for a store that lives in it. It cannot be killed, but it can be cut off from one moment to the
 * next: nothing it does reaches the store any more, and nobody gets an answer.
 */
export async function startServerHere(
  store: StoreServer,
  {
    address,
    providers,
  }: {
    readonly address: string
    readonly providers: Readonly<Record<'cerebras' | 'together', ProviderOptions>>
  },
): Promise<{ readonly baseUrl: string; stop(signal: 'SIGKILL'): Promise<void> }> {
  const { storage } = await store.open(address)
  let isGone = false
  const severed: LedgerStore = {
    ...storage.ledger,
    transact: async (...call) => {
      if (isGone) throw new Unavailable('This server is gone.')
      const result = await storage.ledger.transact(...call)
      // Written, and nobody is there to hear it.
      if (isGone) throw new Unavailable('This server is gone.')
      return result
    },
  }
  const gateway = createGateway({
    providers: [cerebras(providers.cerebras), together(providers.together)],
    storage: { ...storage, ledger: severed },
    authenticate: (request) => {
      const accountId = bearerKey(request)
      return accountId === undefined ? undefined : { accountId }
    },
    lateCosts: { everyMs: 0 },
    timeouts: { closeMs: 1 },
  })
  await gateway.accounts.configure({ accountId: 'alice', planId: 'pro' })
  const mount = { prefix: '/ai', parsesJson: false, headers: {}, trustsProxy: false, before: undefined }
  const { url, close } = await expressHost.mount(gateway, mount)
  return {
    baseUrl: `${url}/ai/v1`,
    async stop() {
      isGone = true
      await close()
      // It would wait for settlements that can not come any more.
      void gateway.close()
    },
  }
}
