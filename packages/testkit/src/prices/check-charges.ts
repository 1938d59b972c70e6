import { rateUsage } from '@farebox/core'
import { seededRandom } from '../simulation/random.ts'
import { costByLine, exactCost, partsPerNano } from './exact-cost.ts'
import { type RandomCharge, randomCharge, randomTargets } from './random-charges.ts'

export interface CheckChargesOptions {
  /** How many charges. */
  readonly count: number
  /** The same seed gives the same charges. */
  readonly seed: number
  /** Told now and then how many are done. @default nobody is told */
  readonly onProgress?: (done: number) => void
}

export interface CheckedCharges {
  readonly checked: number
  /** Of every tenth charge, how many would be another amount if every line were rounded: else it would not be noticed. */
  readonly roundedOtherwiseByLine: number
  /** The sum of what was charged, and of what was exact, both in nano-USD; the second is rounded down. */
  readonly charged: bigint
  readonly exact: bigint
  /** The first charge that was wrong, if any was. */
  readonly wrong?: { readonly charge: RandomCharge; readonly charged: bigint; readonly expected: bigint }
}

/** A new set of targets after this many charges. */
const poolCharges = 10_000
const poolTargets = 200
const progressEvery = 10_000

/**
 * Rates random charges and compares each with an exact rational oracle, to the nano-USD. Their sum may be above the exact
 * sum by less than one nano-USD for each charge, because each is rounded up once, and never below it.
 */
export function checkCharges({ count, seed, onProgress }: CheckChargesOptions): CheckedCharges {
  const random = seededRandom(seed)
  let targets = randomTargets(random, poolTargets)
  let [charged, exact, roundedOtherwiseByLine] = [0n, 0n, 0]
  for (let done = 0; done < count; done += 1) {
    if (done % poolCharges === 0) targets = randomTargets(random, poolTargets)
    if (done % progressEvery === 0) onProgress?.(done)
    const charge = randomCharge(random, targets)
    const { serviceTier } = charge
    const nano: bigint = rateUsage(charge.quantities, charge.of.target, { serviceTier })
    const expected = exactCost(charge)
    charged += nano
    exact += expected.exact
    if (done % 10 === 0 && costByLine(charge) !== expected.nano) roundedOtherwiseByLine += 1
    if (nano !== expected.nano) {
      const wrong = { charge, charged: nano, expected: expected.nano }
      return { checked: done + 1, roundedOtherwiseByLine, charged, exact: exact / partsPerNano, wrong }
    }
  }
  onProgress?.(count)
  return { checked: count, roundedOtherwiseByLine, charged, exact: exact / partsPerNano }
}
