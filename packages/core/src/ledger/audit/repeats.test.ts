import { describe, expect, it } from 'vitest'
import type { StoredEntry } from '../storage.ts'
import { findRepeats } from './repeats.ts'
import { createFindings } from './report.ts'

/** A journal with an operation an entry, `o1` for the first. Some of them are written otherwise. */
function journalOf(entries: number, texts: Readonly<Record<number, string>> = {}): readonly StoredEntry[] {
  return Array.from({ length: entries }, (_, index) => {
    const seq = index + 1
    return { seq: BigInt(seq), text: texts[seq] ?? `{"opId":"o${seq}"}`, hash: '' }
  })
}

async function find(journal: readonly StoredEntry[], suspects: Readonly<Record<string, bigint>>) {
  const findings = createFindings('alice', 100)
  const read: [bigint, number][] = []
  await findRepeats(
    async (accountId, afterSeq, limit) => {
      expect(accountId).toBe('alice')
      read.push([afterSeq, limit])
      if (read.length > 10) throw new Error('the journal is read for ever')
      return journal.filter(({ seq }) => seq > afterSeq).slice(0, limit)
    },
    'alice',
    new Map(Object.entries(suspects)),
    findings,
  )
  return { found: findings.list, read: read.map(([afterSeq]) => afterSeq) }
}

describe('operations that seem to be there twice', () => {
  it('are found where they are, with both entries and the request', async () => {
    const again = '{"opId":"o2","requestId":"r1"}'
    const { found } = await find(journalOf(9, { 5: again, 7: '{"opId":"o3"}' }), { o2: 5n, o3: 7n })
    expect(found).toStrictEqual([
      {
        accountId: 'alice',
        kind: 'repeated-operation',
        seq: 5n,
        requestId: 'r1',
        message: 'Entry 5 books the operation "o2" again, after entry 2.',
      },
      {
        accountId: 'alice',
        kind: 'repeated-operation',
        seq: 7n,
        message: 'Entry 7 books the operation "o3" again, after entry 3.',
      },
    ])
  })

  it('are found each time they come again, up to the last that was looked at', async () => {
    const again = '{"opId":"o1"}'
    const { found } = await find(journalOf(9, { 3: again, 6: again, 8: again }), { o1: 3n, o5: 6n })
    expect(found.map(({ seq }) => seq)).toEqual([3n, 6n])
  })

  it('are not found where one was only taken for another, nor where nobody suspected them', async () => {
    expect((await find(journalOf(9, { 5: '{"opId":"o2"}' }), { o7: 7n })).found).toEqual([])
  })

  it('are looked for page by page, no further than the last of them', async () => {
    const again = '{"opId":"o1"}'
    const { found, read } = await find(journalOf(1600, { 1000: again }), { o1: 1000n, o9: 9n })
    expect(found.map(({ seq }) => seq)).toEqual([1000n])
    expect(read).toEqual([0n, 500n])
    expect((await find(journalOf(1600, { 1001: again }), { o9: 9n, o1: 1001n })).read).toEqual([
      0n,
      500n,
      1000n,
    ])
    expect((await find(journalOf(9), {})).read).toEqual([])
  })

  it('are looked for past entries that can not be read', async () => {
    const texts = { 1: '{"opId":', 2: '{"opId":"a"}', 4: '{"opId":"a"}' }
    expect((await find(journalOf(9, texts), { a: 4n })).found.map(({ seq }) => seq)).toEqual([4n])
  })

  it('are looked for no longer where a journal has ended, or goes round in circles', async () => {
    expect((await find(journalOf(3), { o1: 9n })).found).toEqual([])
    const findings = createFindings('alice', 100)
    let reads = 0
    const circle = async () => {
      reads += 1
      if (reads > 10) throw new Error('the journal is read for ever')
      return journalOf(2)
    }
    await findRepeats(circle, 'alice', new Map([['o9', 9n]]), findings)
    expect(reads).toBe(2)
  })
})
