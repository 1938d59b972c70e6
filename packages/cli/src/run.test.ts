import { fileURLToPath } from 'node:url'
import { fakeClock } from '@farebox/core'
import { describe, expect, it } from 'vitest'
import { createProgress } from './progress.ts'
import { run } from './run.ts'
import type { ExitCode } from './terminal.ts'

const here = fileURLToPath(new URL('..', import.meta.url))

async function farebox(...args: readonly string[]): Promise<{ code: ExitCode; out: string; error: string }> {
  const written = { out: '', error: '' }
  const code = await run({
    args,
    folder: here,
    out: { write: (text) => (written.out += text) },
    error: { write: (text) => (written.error += text) },
    signal: new AbortController().signal,
    clock: fakeClock(0),
  })
  return { code, ...written }
}

describe('farebox', () => {
  it('shows its commands, and with the name of one what it takes', async () => {
    const { code, out } = await farebox('--help')
    expect(code).toBe(0)
    for (const command of ['audit', 'reconcile', 'export', 'trim', 'prices', 'migrate', 'conformance']) {
      expect(out).toContain(command)
      const help = await farebox(command, '--help')
      expect(help).toMatchObject({ code: 0, error: '' })
      expect(help.out).toContain(`Usage: farebox ${command}`)
      expect((await farebox('help', command)).out).toBe(help.out)
    }
  })

  it.each([
    [[], 'Usage: farebox'],
    [
      ['frob'],
      'There is no command "frob". Known commands: audit, reconcile, export, trim, prices, migrate, conformance.',
    ],
    [['audit', '--frob'], "Unknown option '--frob'"],
    [['audit', '--sqlite'], "'--sqlite <value>' argument missing"],
    [['audit'], 'either --gateway FILE or --sqlite FILE or --postgres URL or --redis URL'],
    [['audit', '--redis', '127.0.0.1:6379'], '--redis takes a URL such as redis://'],
    [['audit', '--redis', 'http://127.0.0.1'], '--redis takes a URL such as redis://'],
    [
      ['audit', '--redis', 'redis://127.0.0.1:1', '--postgres', 'postgres://127.0.0.1:1/x'],
      'either --gateway FILE or --sqlite FILE or --postgres URL or --redis URL',
    ],
    [
      ['audit', '--gateway', 'a.js', '--sqlite', 'b.db'],
      'either --gateway FILE or --sqlite FILE or --postgres URL',
    ],
    [
      ['audit', '--sqlite', 'b.db', '--findings-max', 'many'],
      '--findings-max takes a whole number, not "many"',
    ],
    [['reconcile'], '--gateway FILE'],
    [['reconcile', '--sqlite', 'b.db'], "Unknown option '--sqlite'"],
    [['reconcile', 'alice', '--gateway', 'a.js'], 'reconcile takes no "alice"'],
    [['conformance'], 'farebox conformance FILE'],
    [['conformance', 'a.js', 'b.js'], 'one module, not "b.js" as well'],
    [['conformance', 'a.js', '--timeout', 'soon'], '--timeout takes a whole number'],
    [['conformance', 'src/__fixtures__/own-storage.js', '--only', 'frob'], 'No case has "frob"'],
    [['export'], '--gateway FILE'],
    [['export', '--gateway', 'a.js', '--to', 'b.jsonl'], '--consumer NAME'],
    [['export', '--gateway', 'a.js', '--consumer', 'warehouse'], '--to FILE'],
    [['export', 'alice', '--gateway', 'a.js'], 'export takes no "alice"'],
    [['export', '--sqlite', 'b.db'], "Unknown option '--sqlite'"],
    [['trim'], '--gateway FILE'],
    [['trim', '--gateway', 'a.js'], '--consumer NAME'],
    [['trim', 'alice', '--gateway', 'a.js'], 'trim takes no "alice"'],
    [
      ['trim', '--gateway', 'a.js', '--consumer', 'a', '--older-than', '399'],
      '--older-than takes a whole number of days, 400 or more, not "399"',
    ],
    [['reconcile', '--gateway', 'src/__fixtures__/slow-storage.js'], 'Only a gateway can reconcile'],
    [['prices', 'frob'], 'prices knows no "frob"'],
    [['migrate'], 'Say which database: --postgres URL.'],
    [['migrate', 'now', '--postgres', 'postgres://127.0.0.1:1/x'], 'migrate takes no "now"'],
    [['migrate', '--postgres', 'postgres://127.0.0.1:1/x', '--schema', 'a-b'], 'not a plain identifier'],
  ])('called as %j says what is wrong and exits with 2', async (args, message) => {
    const { code, out, error } = await farebox(...args)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(error).toContain(message)
  })

  it('says at once that an archive is not there', async () => {
    const { code, error } = await farebox('audit', '--gateway', 'a.js', '--archive', 'none.jsonl')
    expect({ code, error }).toMatchObject({
      code: 3,
      error: expect.stringMatching(/^farebox: There is no file .*none\.jsonl\.\n$/),
    })
  })

  it('does not take a file for reports of an earlier audit that has none', async () => {
    const { code, error } = await farebox('audit', '--sqlite', 'b.db', '--since', 'package.json')
    expect(code).toBe(3)
    expect(error).toContain('is not what `farebox audit --json` writes')
  })
})

describe('farebox prices', () => {
  it('shows the rows of the price book that fit, with their sources as JSON', async () => {
    const { code, out } = await farebox('prices', '--provider', 'cerebras', '--model', 'gpt-oss')
    expect(code).toBe(0)
    expect(out).toContain('openai/gpt-oss-120b  cerebras  chat')
    expect(out).toContain('input_token 0.35/M, output_token 0.75/M')
    expect(out).not.toContain('together')
    const lines = (await farebox('prices', '--model', 'gpt-oss', '--json')).out.trim().split('\n')
    expect(lines.length).toBeGreaterThan(1)
    for (const line of lines)
      expect(JSON.parse(line)).toMatchObject({ source: expect.stringMatching(/^https:/) })
  })

  const own = ['--gateway', 'src/__fixtures__/own-prices.js']

  it('lists the versions there are, the host’s own with a gateway', async () => {
    expect((await farebox('prices', 'versions')).out).toMatch(/^[0-9a-f]{16} {2}always +\d+ rows\n$/)
    const { code, out } = await farebox('prices', 'versions', ...own, '--json')
    expect(code).toBe(0)
    expect(out.split('\n').filter((line) => line.includes('"effectiveAtMs":1796083200000'))).toHaveLength(1)
    expect(out.trim().split('\n')).toHaveLength(3)
  })

  it('tells which rates differ between two dates, and exits with 1 as diff does', async () => {
    expect(await farebox('prices', 'compare', '2026-11-22', '2026-12-01', ...own)).toEqual({
      code: 1,
      out: 'changed meta-llama/Llama-3.3-70B-Instruct on own for chat\n  input_token 0.20/M -> 0.25/M\n',
      error: '',
    })
    expect(await farebox('prices', 'compare', 'now', '2026-11-30', ...own)).toEqual({
      code: 0,
      out: '',
      error: '',
    })
  })

  it('tells which rates differ between two versions', async () => {
    const { out } = await farebox('prices', 'versions', ...own, '--json')
    const [, before, after] = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { readonly version: string; readonly rows: number })
      .toSorted((a, b) => b.rows - a.rows)
    const result = await farebox(
      'prices',
      'compare',
      before?.version ?? '',
      after?.version ?? '',
      ...own,
      '--json',
    )
    expect(result.code).toBe(1)
    expect(JSON.parse(result.out)).toMatchObject({
      kind: 'changed',
      lines: [
        { unit: 'input_token', from: { nano: '200000000', per: '1000000' }, to: { nano: '250000000' } },
      ],
    })
  })

  it.each([
    [['compare', 'now'], 'takes two versions or dates'],
    [['compare', 'now', 'then'], '"then" is neither a version, nor a date, nor "now"'],
    [['compare', 'now', '2026-13-01'], '"2026-13-01" is neither'],
    [['compare', 'now', '0123456789abcdef'], 'There is no version 0123456789abcdef'],
    [['show', '--gateway', 'a.js'], 'use compare with --gateway'],
  ])('called as %j says what is wrong and exits with 2', async (args, message) => {
    const { code, error } = await farebox('prices', ...args)
    expect(code).toBe(2)
    expect(error).toContain(message)
  })

  it('exits with 1 when no row fits', async () => {
    expect(await farebox('prices', '--model', 'no such model')).toMatchObject({ code: 1, out: '' })
  })
})

describe('the progress of long work', () => {
  function watch(isTTY: boolean) {
    const clock = fakeClock(0)
    let written = ''
    const output = { isTTY, write: (text: string) => (written += text) }
    const terminal = {
      args: [],
      folder: '',
      out: output,
      error: output,
      signal: new AbortController().signal,
      clock,
    }
    return { clock, progress: createProgress(terminal), written: () => written }
  }

  it('is a line that is written over where somebody watches, ten times a second at most, and goes away', () => {
    const { clock, progress, written } = watch(true)
    progress.show('at once')
    clock.advance(100)
    progress.show('1 of 9')
    clock.advance(50)
    progress.show('2 of 9')
    clock.advance(50)
    progress.show('3 of 9')
    progress.clear()
    progress.clear()
    expect(written()).toBe('\r\u001b[K1 of 9\r\u001b[K3 of 9\r\u001b[K')
  })

  it('is a line every ten seconds in a log', () => {
    const { clock, progress, written } = watch(false)
    for (let second = 0; second < 25; second += 1) {
      clock.advance(1000)
      progress.show(`${second + 1} of 25`)
    }
    progress.clear()
    expect(written()).toBe('10 of 25\n20 of 25\n')
  })
})
