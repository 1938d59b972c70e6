import type { Unit } from '../unit.ts'
import type { Quantities } from '../usage.ts'

/** How a provider counts tokens. Declared for each, because no usage tells it by itself. */
export interface TokenConvention {
  /** Whether cached tokens, read or written, are part of the input count or beside it. */
  readonly cache: 'inside' | 'beside'
  /**
   * Whether reasoning is part of the output count or beside it. `by-total`: part of it, unless the total counts it apart
   * or there is more of it than output.
   */
  readonly reasoning: 'inside' | 'beside' | 'by-total'
}

/** Counts as a provider reports them, overlapping as they may. What it does not mention is left out. */
export interface TokenCounts {
  readonly input?: bigint | undefined
  readonly output?: bigint | undefined
  readonly total?: bigint | undefined
  /** Read from a cache, all of it, and what of it is audio or images. */
  readonly cached?: bigint | undefined
  readonly cachedAudio?: bigint | undefined
  readonly cachedImage?: bigint | undefined
  /** Written to a cache, all of it, and what of it lives how long. */
  readonly written?: bigint | undefined
  readonly written5m?: bigint | undefined
  readonly written1h?: bigint | undefined
  /** Audio and images in the input, cached ones included. */
  readonly inputAudio?: bigint | undefined
  readonly inputImage?: bigint | undefined
  readonly reasoning?: bigint | undefined
  readonly outputAudio?: bigint | undefined
  readonly outputImage?: bigint | undefined
}

type Draft = Partial<Record<Unit, bigint>>

/**
 * Turns a provider's counts into classes that partition all tokens: each token in one class, none in two, none missing,
 * and no class below zero, however the counts contradict each other. The total of a side always wins over its details.
 *
 * Where details overlap and nothing says how, cached tokens are text first and audio or images only beyond that.
 */
export function partitionTokens(counts: TokenCounts, convention: TokenConvention): Quantities {
  const classes: Draft = {}
  partitionInput(classes, counts, convention)
  partitionOutput(classes, counts, convention)
  return classes
}

function partitionInput(classes: Draft, counts: TokenCounts, convention: TokenConvention): void {
  const { input, cached = 0n, written = 0n } = counts
  // Details of an unknown whole cannot be told from the rest of it.
  if (input === undefined) return
  let left = convention.cache === 'inside' ? input : input + cached + written
  const reads = least(cached, left)
  left -= reads
  const writes = least(written, left)
  left -= writes
  const readAudio = least(counts.cachedAudio, reads)
  const readImage = least(counts.cachedImage, reads - readAudio)
  const audio = least(rest(counts.inputAudio, readAudio), left)
  const image = least(rest(counts.inputImage, readImage), left - audio)
  // The whole comes first and is there also when it is zero: an explicit zero is known.
  classes.input_token = left - audio - image
  put(classes, 'cached_input_token', reads - readAudio - readImage)
  put(classes, 'cached_input_audio_token', readAudio)
  put(classes, 'cached_input_image_token', readImage)
  const written1h = least(counts.written1h, writes)
  const written5m = least(counts.written5m, writes - written1h)
  put(classes, 'cache_write_token', writes - written1h - written5m)
  put(classes, 'cache_write_5m_token', written5m)
  put(classes, 'cache_write_1h_token', written1h)
  put(classes, 'input_audio_token', audio)
  put(classes, 'input_image_token', image)
}

function partitionOutput(classes: Draft, counts: TokenCounts, convention: TokenConvention): void {
  const { output, reasoning = 0n } = counts
  if (output === undefined) return
  let left = isBeside(counts, convention) ? output + reasoning : output
  const reasoned = least(reasoning, left)
  left -= reasoned
  const audio = least(counts.outputAudio, left)
  const image = least(counts.outputImage, left - audio)
  classes.output_token = left - audio - image
  put(classes, 'reasoning_token', reasoned)
  put(classes, 'output_audio_token', audio)
  put(classes, 'output_image_token', image)
}

function isBeside(counts: TokenCounts, convention: TokenConvention): boolean {
  if (convention.reasoning !== 'by-total') return convention.reasoning === 'beside'
  const { input, output, reasoning = 0n, total } = counts
  if (output === undefined || reasoning === 0n) return false
  // A part cannot be more than the whole, whatever the total says (DeepInfra's proxied models, 2026-08).
  return reasoning > output || (input !== undefined && total === input + output + reasoning)
}

function put(classes: Draft, unit: Unit, tokens: bigint): void {
  if (tokens > 0n) classes[unit] = tokens
}

function least(tokens: bigint | undefined, limit: bigint): bigint {
  return tokens === undefined ? 0n : tokens < limit ? tokens : limit
}

function rest(tokens: bigint | undefined, part: bigint): bigint {
  return tokens === undefined || tokens < part ? 0n : tokens - part
}
