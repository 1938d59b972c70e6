import type { Random } from './random.ts'

/** Everything that can go wrong at something a process waits for. */
export const faultKinds = [
  /** The store refuses a call; surely nothing was applied. */
  'store unavailable',
  /** A write never arrives, and nobody can tell. */
  'store request lost',
  /** A write is applied, and its reply never comes. */
  'store reply lost',
  /** A write is given up and applied all the same, much later. */
  'store write late',
  /** A write arrives twice. */
  'store write twice',
  'store slow',
  /** What a process has sent to the store dies with it. */
  'last write lost',
  /** A process dies at once: everything in its memory is gone. */
  'process crash',
  /** A process is shut down in good order, with a limit. */
  'process close',
  /** The store's clock is set back, or ahead, or to just before or at the end of the month. */
  'clock back',
  'clock ahead',
  'clock month end',
  /** A process' own clock is wrong by up to a day. */
  'clock skewed',
  'connect fails',
  'connection reset',
  /** Nothing more arrives, and nobody says so. */
  'connection silent',
  'connection slow',
  'provider refuses',
  /** It works, charges, and answers 500. */
  'provider fails after work',
  'provider tells no usage',
  /** Usage so far in every piece of a stream. */
  'provider tells running usage',
  /** A stream ends with an error event, or without its end. */
  'provider breaks off',
  /** Bytes that are no answer. */
  'provider talks nonsense',
  /** More output than was asked for. */
  'provider exceeds the bound',
  /** It charges another price than its list says. */
  'provider charges otherwise',
  /** It works on after the caller has hung up. */
  'provider works on',
  'provider cost late',
  'provider cost unknown',
  'caller leaves',
  'caller slow',
  /** The host sends an operation twice, to two processes. */
  'host repeats',
] as const

export type FaultKind = (typeof faultKinds)[number]

/** Which faults a run has, and how often. */
export interface Faults {
  readonly isHealed: boolean
  /** Whether this fault happens here and now. Never, once healed. */
  happens(kind: FaultKind): boolean
  /** From now on nothing goes wrong any more. */
  heal(): void
}

/** Probabilities of faults that are tried at every step, and of those that are tried once in a while. */
const rates = [0.01, 0.03, 0.1, 0.3]
const rarely: ReadonlySet<FaultKind> = new Set([
  'process crash',
  'process close',
  'clock back',
  'clock ahead',
  'clock month end',
])

/**
 * Every run has some of the faults, each at a rate of its own. A run with all of them at once never gets far, and would
 * miss what takes one fault and a long quiet time.
 */
export function drawFaults(random: Random, onFault: (kind: FaultKind) => void): Faults {
  const share = random.pick([0, 0.1, 0.3, 0.6])
  const probabilities = new Map<FaultKind, number>()
  for (const kind of faultKinds) {
    if (!random.chance(share)) continue
    probabilities.set(kind, random.pick(rates) / (rarely.has(kind) ? 5 : 1))
  }
  probabilities.set('last write lost', 0.5)
  return faultsOf((kind) => random.chance(probabilities.get(kind) ?? 0), onFault)
}

/** No faults but those that are asked for by name. */
export function faultsOf(
  happens: (kind: FaultKind) => boolean,
  onFault: (kind: FaultKind) => void = () => undefined,
): Faults {
  let isHealed = false
  return {
    get isHealed() {
      return isHealed
    },
    happens(kind) {
      if (isHealed || !happens(kind)) return false
      onFault(kind)
      return true
    },
    heal() {
      isHealed = true
    },
  }
}
