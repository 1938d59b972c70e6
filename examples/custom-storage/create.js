import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLogStorage } from './log-storage.js'

/** Makes storages for `farebox conformance create.js`. */
export async function create(clock) {
  const folder = await mkdtemp(join(tmpdir(), 'farebox-log-'))
  let storage = await openLogStorage(folder, { clock })
  return {
    storage,
    async reopen() {
      await storage.ledger.close()
      storage = await openLogStorage(folder, { clock })
      return storage
    },
    async dispose() {
      await storage.ledger.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
