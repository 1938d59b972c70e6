import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { jsonLinesArchive } from './json-lines-archive.ts'
import { jsonLinesFile } from './json-lines-file.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'farebox-archive-'))
})
afterEach(() => rm(folder, { recursive: true }))

const hash = (seq: bigint) => seq.toString(16).padStart(64, '0')

/** Texts as hard as JSON allows: other line ends, what looks like the next member, and characters of several bytes. */
const entry = (accountId: string, seq: bigint) => ({
  seq,
  hash: hash(seq),
  text: `{"opId":"\u2028\\n\\",\\"seq\\":\\"9\\" é😀 ${accountId.length} ${seq}"}`,
})

async function write(name: string, ...batches: readonly [string, bigint, bigint][]): Promise<string> {
  const path = join(folder, name)
  const file = jsonLinesFile(path)
  for (const [accountId, from, to] of batches) {
    const entries = []
    for (let seq = from; seq <= to; seq += 1n) entries.push(entry(accountId, seq))
    await file.write({ accountId, entries })
  }
  await file.close()
  return path
}

async function read(paths: readonly string[], accountId: string) {
  const entries = []
  for await (const each of jsonLinesArchive(paths).entries(accountId)) entries.push(each)
  return entries
}

const all = (accountId: string, last: bigint) =>
  Array.from({ length: Number(last) }, (_, index) => entry(accountId, BigInt(index + 1)))

describe('jsonLinesArchive', () => {
  it('gives back what jsonLinesFile wrote, account by account', async () => {
    const strange = '"alice","seq":"7"\n'
    const path = await write('a', ['bob', 1n, 3n], [strange, 1n, 2n], ['bob', 4n, 4n], [strange, 3n, 300n])
    expect(await read([path], 'bob')).toEqual(all('bob', 4n))
    expect(await read([path], strange)).toEqual(all(strange, 300n))
    expect(await read([path], 'nobody')).toEqual([])
  })

  it('takes several files in the order of their entries, whatever order they are named in', async () => {
    const first = await write('z', ['bob', 1n, 3n], ['alice', 1n, 1n])
    const second = await write('a', ['bob', 4n, 9n])
    expect(await read([second, first], 'bob')).toEqual(all('bob', 9n))
    expect(await read([second, first], 'alice')).toEqual(all('alice', 1n))
  })

  it('reads lines that are longer than what is read at a time', async () => {
    const path = join(folder, 'long')
    const text = `{"opId":"${'x'.repeat(300_000)}"}`
    const file = jsonLinesFile(path)
    await file.write({ accountId: 'bob', entries: [{ seq: 1n, hash: hash(1n), text }] })
    await file.write({ accountId: 'bob', entries: [{ seq: 2n, hash: hash(2n), text }] })
    await file.close()
    expect((await read([path], 'bob')).map((each) => each.text)).toEqual([text, text])
  })

  it('leaves out a last line that a crash has cut off', async () => {
    const path = await write('a', ['bob', 1n, 2n])
    await appendFile(path, '{"account":"bob","seq":"3"')
    expect(await read([path], 'bob')).toEqual(all('bob', 2n))
  })

  it('says where a file is not an export', async () => {
    const path = await write('a', ['bob', 1n, 1n])
    await appendFile(path, 'something else\n')
    await expect(read([path], 'bob')).rejects.toThrow(/a has no entry of a journal at byte \d+\./)
    await writeFile(path, '')
    expect(await read([path], 'bob')).toEqual([])
    await expect(read([join(folder, 'none')], 'bob')).rejects.toMatchObject({ code: 'ENOENT' })
  })
})
