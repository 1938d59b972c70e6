import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { countTokens } from '../rate-usage.ts'
import { partitionTokens, type TokenConvention, type TokenCounts } from './partition.ts'

const count = fc.bigInt(0n, 1000n)
const anyCounts: fc.Arbitrary<TokenCounts> = fc.record(
  {
    input: count,
    output: count,
    total: fc.bigInt(0n, 3000n),
    cached: count,
    cachedAudio: count,
    cachedImage: count,
    written: count,
    written5m: count,
    written1h: count,
    inputAudio: count,
    inputImage: count,
    reasoning: count,
    outputAudio: count,
    outputImage: count,
  },
  { requiredKeys: ['input', 'output'] },
)
const anyConvention: fc.Arbitrary<TokenConvention> = fc.record({
  cache: fc.constantFrom('inside', 'beside'),
  reasoning: fc.constantFrom('inside', 'beside', 'by-total'),
})

describe('failures 10 to 13: the classes of tokens', () => {
  it('partition each side, with none below zero, however the counts contradict each other', () => {
    fc.assert(
      fc.property(anyCounts, anyConvention, (counts, convention) => {
        const classes = partitionTokens(counts, convention)
        for (const tokens of Object.values(classes)) {
          expect(typeof tokens === 'bigint' && tokens >= 0n).toBe(true)
        }
        const { input = 0n, output = 0n, cached = 0n, written = 0n, reasoning = 0n } = counts
        const asInput = convention.cache === 'inside' ? input : input + cached + written
        expect(countTokens(classes, 'input')).toBe(asInput)
        const asOutput = countTokens(classes, 'output')
        if (convention.reasoning === 'inside') expect(asOutput).toBe(output)
        else if (convention.reasoning === 'beside') expect(asOutput).toBe(output + reasoning)
        else expect([output, output + reasoning]).toContain(asOutput)
      }),
      { numRuns: 2000 },
    )
  })

  it('are there in full for counts that agree: nothing that was told gets lost', () => {
    fc.assert(
      fc.property(fc.array(count, { minLength: 12, maxLength: 12 }), (parts) => {
        const [text = 0n, cachedText = 0n, cachedAudio = 0n, cachedImage = 0n, written = 0n, written5m = 0n] =
          parts
        const [written1h = 0n, audio = 0n, image = 0n, spoken = 0n, reasoning = 0n, words = 0n] =
          parts.slice(6)
        const cached = cachedText + cachedAudio + cachedImage
        const writes = written + written5m + written1h
        const classes = partitionTokens(
          {
            input: text + cached + writes + audio + image,
            output: words + reasoning + spoken,
            cached,
            cachedAudio,
            cachedImage,
            written: writes,
            written5m,
            written1h,
            inputAudio: audio + cachedAudio,
            inputImage: image + cachedImage,
            reasoning,
            outputAudio: spoken,
          },
          { cache: 'inside', reasoning: 'inside' },
        )
        const told = {
          input_token: text,
          cached_input_token: cachedText,
          cached_input_audio_token: cachedAudio,
          cached_input_image_token: cachedImage,
          cache_write_token: written,
          cache_write_5m_token: written5m,
          cache_write_1h_token: written1h,
          input_audio_token: audio,
          input_image_token: image,
          output_token: words,
          reasoning_token: reasoning,
          output_audio_token: spoken,
        }
        for (const [unit, tokens] of Object.entries(told)) {
          expect([unit, classes[unit as keyof typeof classes] ?? 0n]).toEqual([unit, tokens])
        }
      }),
    )
  })

  it.each<[string, TokenCounts, bigint]>([
    ['the total counts it apart', { input: 12n, output: 2n, reasoning: 340n, total: 354n }, 342n],
    ['the total counts it as part', { input: 12n, output: 350n, reasoning: 340n, total: 362n }, 350n],
    ['nothing is told of a total', { input: 12n, output: 350n, reasoning: 340n }, 350n],
    ['there is more of it than output', { input: 12n, output: 2n, reasoning: 340n }, 342n],
    ['the total is of something else', { input: 12n, output: 2n, reasoning: 340n, total: 7n }, 342n],
    [
      'the total leaves it out, but it cannot be part of so little',
      { input: 12n, output: 2n, reasoning: 340n, total: 14n },
      342n,
    ],
  ])('failure 12: count reasoning once when %s', (_case, counts, output) => {
    const classes = partitionTokens(counts, { cache: 'inside', reasoning: 'by-total' })
    expect(countTokens(classes, 'output')).toBe(output)
  })

  it('say nothing of a side that was not counted: its details cannot be told from the rest', () => {
    const convention = { cache: 'inside', reasoning: 'inside' } as const
    expect(partitionTokens({ output: 3n, cached: 5n, inputAudio: 2n }, convention)).toEqual({
      output_token: 3n,
    })
    expect(partitionTokens({ input: 3n, reasoning: 5n }, convention)).toEqual({ input_token: 3n })
    expect(partitionTokens({}, convention)).toEqual({})
  })
})
