import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { perMillion, usd } from '../money.ts'
import type { Price } from '../price.ts'
import { countTokens, rateUsage } from '../rate-usage.ts'
import type { Quantities } from '../usage.ts'
import {
  anthropicTokens,
  geminiTokens,
  openaiImageTokens,
  openaiTokens,
  type Reported,
} from './token-shapes.ts'

interface Golden {
  readonly case: string
  readonly convention: 'openai' | 'anthropic' | 'gemini'
  readonly usage: NonNullable<Reported>
  readonly quantities: Readonly<Record<string, string>>
}

const read = { openai: openaiTokens, anthropic: anthropicTokens, gemini: geminiTokens }
const golden: readonly Golden[] = JSON.parse(
  readFileSync(new URL('__fixtures__/usage.json', import.meta.url), 'utf8'),
)

function textOf(quantities: Quantities | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(quantities ?? {}).map(([unit, quantity]) => [unit, String(quantity)]),
  )
}

describe('failures 10 to 13: usage by whose convention it is', () => {
  it.each(golden.map((each) => [each.case, each] as const))(
    'of %s',
    (_case, { convention, usage, quantities }) => {
      expect(textOf(read[convention](usage))).toEqual(quantities)
    },
  )

  it.each(golden.map((each) => [each.case, each] as const))('has no class below zero: %s', (_case, each) => {
    for (const quantity of Object.values(read[each.convention](each.usage) ?? {})) {
      expect(typeof quantity === 'bigint' && quantity >= 0n).toBe(true)
    }
  })

  it.each(
    golden
      .filter(({ usage }) => typeof totalOf(usage) === 'number')
      .map((each) => [each.case, each] as const),
  )('partitions the total that the provider tells: %s', (_case, { convention, usage }) => {
    const quantities = read[convention](usage) ?? {}
    expect(countTokens(quantities, 'input') + countTokens(quantities, 'output')).toBe(
      BigInt(Number(totalOf(usage))),
    )
  })
})

describe('failure 10: the same prompt, told in two conventions', () => {
  const price: Price = {
    input_token: perMillion('3'),
    cached_input_token: perMillion('0.3'),
    output_token: perMillion('15'),
  }

  it('costs the same', () => {
    const inside = openaiTokens({
      prompt_tokens: 1020,
      completion_tokens: 12,
      prompt_tokens_details: { cached_tokens: 1000 },
    })
    const beside = anthropicTokens({ input_tokens: 20, cache_read_input_tokens: 1000, output_tokens: 12 })
    expect(inside).toEqual(beside)
    expect(rateUsage(beside ?? {}, { price })).toBe(usd('0.00054'))
  })
})

describe('usage that tells nothing', () => {
  it.each([undefined, null, {}, { total_tokens: 11 }, { input_tokens: null }, { input_tokens: '9' }])(
    'is unknown and not zero: %j',
    (usage) => {
      expect(openaiTokens(usage)).toBeUndefined()
      expect(anthropicTokens(usage)).toBeUndefined()
      expect(geminiTokens(usage)).toBeUndefined()
    },
  )

  it('of one side keeps the other', () => {
    expect(openaiTokens({ prompt_tokens: 5, prompt_tokens_details: null })).toEqual({ input_token: 5n })
    expect(openaiTokens({ completion_tokens: 5, prompt_tokens_details: { cached_tokens: 3 } })).toEqual({
      output_token: 5n,
    })
    expect(anthropicTokens({ output_tokens: 5 })).toEqual({ output_token: 5n })
  })
})

describe('the tokens of images', () => {
  it('are image tokens where the usage does not tell them from text', () => {
    expect(openaiImageTokens({ input_tokens: 9, output_tokens: 100 })).toEqual({
      input_token: 9n,
      output_image_token: 100n,
    })
    expect(openaiImageTokens(undefined)).toBeUndefined()
    expect(openaiImageTokens({ input_tokens: 9 })).toEqual({ input_token: 9n })
  })
})

function totalOf(usage: NonNullable<Reported>): unknown {
  return usage['total_tokens'] ?? usage['totalTokenCount']
}
