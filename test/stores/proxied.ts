import { type NetworkPlace, type OpenedStorage, type OpenOptions, openStorage } from '@farebox/testkit/load'
import { startTcpProxy } from '@farebox/testkit/servers'
import type { DisturbedStorage } from './store-kinds.ts'

/** A store that is reached through a proxy. */
export interface Detour extends NetworkPlace {
  openStorage(storeOptions?: object, options?: OpenOptions): Promise<OpenedStorage>
}

/**
 * Puts a proxy before the servers of a store. `addressOf` gives the address of the store when each server is reached by another
 * port; `module` opens it.
 */
export async function detour(
  module: URL,
  serverPorts: readonly number[],
  addressOf: (ports: Readonly<Record<number, number>>) => object & { readonly options?: object },
): Promise<Detour> {
  const proxy = await startTcpProxy(...serverPorts)
  const address = addressOf(proxy.ports)
  const opened: OpenedStorage[] = []
  async function open(storeOptions: object = {}, options: OpenOptions = {}): Promise<OpenedStorage> {
    const changed = { ...address, options: { ...address.options, ...storeOptions } }
    const one = await openStorage(module, JSON.stringify(changed), options)
    opened.push(one)
    return one
  }
  return {
    proxy,
    openStorage: open,
    open: async (storeOptions) => (await open(storeOptions)).storage.ledger,
    async close() {
      for (const one of opened) await one.close()
      await proxy.close()
    },
  }
}

/** Opens a store on a detour that can be made long, or cut. */
export async function disturbed(
  way: Detour,
  storeOptions: object,
  options?: OpenOptions,
): Promise<DisturbedStorage> {
  const { storage } = await way.openStorage(storeOptions, options)
  return {
    storage,
    delay: (ms) => way.proxy.delay(ms),
    cutOff: async (isCut) => way.proxy.swallow(isCut),
    close: () => way.close(),
  }
}
