import { describe, expect, it } from 'vitest'
import { csvLine } from './csv.ts'

describe('csvLine', () => {
  it('ends lines as RFC 4180 has it', () => {
    expect(csvLine(['a', 1, 2n, null])).toBe('a,1,2,\r\n')
  })

  it.each([
    ['a,b', '"a,b"'],
    ['say "hi"', '"say ""hi"""'],
    ['two\nlines', '"two\nlines"'],
    ['two\rlines', '"two\rlines"'],
    ['', ''],
    [' kept ', ' kept '],
  ])('quotes %j where it must', (text, cell) => {
    expect(csvLine([text])).toBe(`${cell}\r\n`)
  })

  it.each([
    ['=HYPERLINK("http://x","y")', `"'=HYPERLINK(""http://x"",""y"")"`],
    ['+1', "'+1"],
    ['-1', "'-1"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['\t=1', "'\t=1"],
    ['\r=1', `"'\r=1"`],
    ['\n=1', `"'\n=1"`],
  ])('never lets %j run as a formula', (text, cell) => {
    expect(csvLine([text])).toBe(`${cell}\r\n`)
  })

  it('leaves numbers and amounts of our own as they are', () => {
    expect(csvLine([-1, -2n, { exact: '-3.00' }])).toBe('-1,-2,-3.00\r\n')
  })
})
