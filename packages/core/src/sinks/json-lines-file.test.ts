import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { JournalBatch } from '../ledger/export-cursor.ts'
import { jsonLinesFile } from './json-lines-file.ts'

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'farebox-export-'))
  path = join(folder, 'journal.jsonl')
})
afterEach(() => rm(folder, { recursive: true }))

function batch(accountId: string, from: number, to: number): JournalBatch {
  const entries = []
  for (let seq = from; seq <= to; seq += 1) {
    entries.push({
      seq: BigInt(seq),
      hash: String(seq).repeat(64),
      text: `{"kind":"granted","amount":"${seq}n"}`,
    })
  }
  return { accountId, entries }
}

async function lines(): Promise<{ account: string; seq: string }[]> {
  const text = await readFile(path, 'utf8')
  expect(text.endsWith('\n')).toBe(true)
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { account: string; seq: string })
}

describe('jsonLinesFile', () => {
  it('writes a line for each entry, with the text that was hashed, for its owner alone', async () => {
    const file = jsonLinesFile(path)
    await file.write(batch('"alice"\n', 1, 2))
    await file.close()
    expect(await lines()).toEqual([
      { account: '"alice"\n', seq: '1', hash: '1'.repeat(64), entry: { kind: 'granted', amount: '1n' } },
      { account: '"alice"\n', seq: '2', hash: '2'.repeat(64), entry: { kind: 'granted', amount: '2n' } },
    ])
    expect((await stat(path)).mode & 0o777).toBe(0o600)
  })

  it('adds to a file that is there, one batch after the other', async () => {
    const first = jsonLinesFile(path)
    await first.write(batch('alice', 1, 1))
    await first.close()
    const file = jsonLinesFile(path)
    await Promise.all([file.write(batch('alice', 2, 60)), file.write(batch('bob', 1, 60))])
    await file.close()
    const written = (await lines()).map(({ account, seq }) => `${account} ${seq}`)
    const numbers = Array.from({ length: 60 }, (_, index) => index + 1)
    expect(written).toEqual([...numbers.map((seq) => `alice ${seq}`), ...numbers.map((seq) => `bob ${seq}`)])
  })

  it.each([0, 1, 100, 64 * 1024, 200 * 1024])(
    'removes a line that a crash has cut off after %i more bytes',
    async (bytes) => {
      const first = jsonLinesFile(path)
      await first.write(batch('alice', 1, 2))
      await first.close()
      await appendFile(path, `{"account":"alice"${'x'.repeat(bytes)}`)
      const file = jsonLinesFile(path)
      await file.write(batch('alice', 3, 3))
      await file.close()
      expect((await lines()).map(({ seq }) => seq)).toEqual(['1', '2', '3'])
    },
  )

  it('starts over in a file that has nothing but a line that was cut off', async () => {
    await writeFile(path, '{"account":"al')
    const file = jsonLinesFile(path)
    await file.write(batch('alice', 1, 1))
    await file.close()
    expect(await lines()).toHaveLength(1)
  })

  it('rejects while the file cannot be written, and goes on when it can', async () => {
    const file = jsonLinesFile(join(folder, 'later', 'journal.jsonl'))
    await expect(file.write(batch('alice', 1, 1))).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(file.write(batch('alice', 1, 1))).rejects.toMatchObject({ code: 'ENOENT' })
    await file.close()
    const full = jsonLinesFile('/dev/full')
    await expect(full.write(batch('alice', 1, 1))).rejects.toMatchObject({ code: 'ENOSPC' })
    await full.close()
  })
})
