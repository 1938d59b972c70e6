import { describe, expect, it } from 'vitest'
import { columnsOf, entryTexts, numbers, recordTexts } from './columns.ts'

const put = (key: string) => ({ put: { key, value: 1n, mode: 'create' as const }, text: '"1n"' })

describe('a column of texts', () => {
  it('is taken apart into the same texts, whatever is in them', () => {
    const columns = [['a', '', 'b\u001f'], ['\u001f0', '\u001f\u001f1x'], []]
    const { separator, join } = columnsOf(columns)
    for (const texts of [columns[0] ?? [], columns[1] ?? []]) {
      expect(join(texts).split(separator)).toEqual(texts)
    }
    expect(join([])).toBe('')
  })

  it('has a separator of one character where no text has that one', () => {
    expect(columnsOf([['{"a":1}', 'b'], ['']]).separator).toBe('\u001f')
  })
})

describe('a column of numbers', () => {
  it('has as many digits as the numbers, and says where there is none', () => {
    expect(numbers([])).toBe('{}')
    expect(numbers([1.5, undefined, 9_007_199_254_740_993n, Number.POSITIVE_INFINITY])).toBe(
      '{1.5,NULL,9007199254740993,Infinity}',
    )
  })
})

describe('the columns of records and entries', () => {
  it('have a hash in place of a key that is too long, and the key itself beside it', () => {
    const long = '€'.repeat(512)
    expect(recordTexts([put('~a'), put(long)])).toEqual({
      keys: ['~~a', expect.stringMatching(/^~[0-9a-f]{64}$/)],
      longKeys: ['', long],
      values: ['"1n"', '"1n"'],
    })
    expect(recordTexts([put('a')]).longKeys).toEqual([])
  })

  it('are the texts and hashes of entries, in their order', () => {
    const entries = [1n, 2n].map((seq) => ({ seq, text: `t${seq}`, hash: `h${seq}` }))
    expect(entryTexts(entries)).toEqual({ texts: ['t1', 't2'], hashes: ['h1', 'h2'] })
  })
})
