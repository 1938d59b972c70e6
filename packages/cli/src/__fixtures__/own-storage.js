// A host's own storage, as `farebox conformance` makes it.
import { memoryStorage } from '@farebox/core'

export async function create(clock) {
  const storage = memoryStorage({ clock })
  return { storage, dispose: () => storage.ledger.close() }
}
