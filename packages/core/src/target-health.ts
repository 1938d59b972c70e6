import type { Catalog } from './catalog/catalog.ts'
import type { Clock } from './clock.ts'
import type { OnEvent } from './events.ts'
import type { CounterStore } from './ledger/counter-store.ts'
import { recurring } from './recurring.ts'
import { createHealth, type Health } from './routing/health.ts'
import { createSharedHealth } from './routing/shared-health.ts'

/** How often a process looks at what others have told, and so how long one goes on sending requests to a target that is down. */
const exchangeMs = 1_000

export interface TargetHealthParts {
  /** Where processes tell each other; `undefined` when each keeps to itself. */
  readonly counters: CounterStore | undefined
  readonly catalog: Catalog
  readonly clock: Clock
  readonly onEvent: OnEvent
}

export interface TargetHealth {
  readonly health: Health
  /** Looks no more. Resolves when the look under way is over. */
  stop(): Promise<void>
}

/** Binds what is known of targets to the counters, if it is shared. */
export function createTargetHealth({ counters, catalog, clock, onEvent }: TargetHealthParts): TargetHealth {
  const onCircuit: Parameters<typeof createHealth>[0]['onCircuit'] = ({ providerId, model }, state) =>
    onEvent({ kind: 'circuit.changed', providerId, model, state })
  if (counters === undefined) return { health: createHealth({ clock, onCircuit }), stop: async () => {} }
  const onLost = (cause: unknown) => onEvent({ kind: 'counters.lost', cause })
  const shared = createSharedHealth({ counters, clock, onLost })
  const health = createHealth({ clock, onCircuit, teller: shared })
  const exchanging = recurring(clock, exchangeMs, () => shared.exchange(catalog.targets, health))
  return { health, stop: exchanging.stop }
}
