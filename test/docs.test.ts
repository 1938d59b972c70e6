import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, parse, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { countedIds, createGateway, errorCodes, fakeClock, perMillion } from '@farebox/core'
import { openaiCompatible } from '@farebox/core/providers/openai-compatible'
import { describe, expect, it } from 'vitest'
import { checkOptions } from '../packages/core/src/options.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const documents = markdownIn(root)

describe('the links', () => {
  it.each(documents)('%s links to files and headings that exist', (document) => {
    const broken = linksOf(document).filter(({ file, heading }) => {
      if (!existsSync(join(root, file))) return true
      return heading !== undefined && !headingsOf(file).map(slugOf).includes(heading)
    })
    expect(broken).toEqual([])
  })
})

describe('ARCHITECTURE.md', () => {
  it('shows the direction that test/architecture.test.ts holds', () => {
    const places = /^const direction = \[(.*?)\]/ms.exec(read('test/architecture.test.ts'))?.[1] ?? ''
    const held = [...places.matchAll(/'(\w+)'/g)].map((match) => match[1])
    expect(read('ARCHITECTURE.md')).toContain(`\n${held.join(' → ')}\n`)
  })
})

describe('docs/errors.md', () => {
  const text = read('docs/errors.md')

  it('has a heading for every error code, and for no other', () => {
    const codes = headingsOf('docs/errors.md').filter((heading) => heading !== 'Errors')
    expect(codes.toSorted()).toEqual(Object.keys(errorCodes).toSorted())
  })

  it.each(Object.entries(errorCodes))('tells the status of %s', (code, { status }) => {
    expect(sectionOf(text, code)).toMatch(new RegExp(`^Status: ${status}[.,]`, 'm'))
  })

  it('shows the 402 exactly as it is answered', async () => {
    const shown = JSON.parse(/```json\n([^`]+)```/.exec(sectionOf(text, 'insufficient_credits'))?.[1] ?? '')
    expect(await refusedForCredit()).toEqual(shown)
  })
})

describe('docs/audit.md', () => {
  it('has a heading for every kind of finding, and for no other', () => {
    const source = read('packages/core/src/ledger/audit/report.ts')
    const type = /^export type AuditFindingKind =\n(.*?)\n\n/ms.exec(source)?.[1] ?? ''
    const kinds = [...type.matchAll(/\| '([a-z-]+)'/g)].map((match) => match[1])
    const explained = [...read('docs/audit.md').matchAll(/^### (.+)$/gm)].map((match) => match[1])
    expect(kinds.length).toBeGreaterThan(10)
    expect(explained.toSorted()).toEqual(kinds.toSorted())
  })
})

describe('docs/events.md', () => {
  it('has a row for every event, and for no other', () => {
    const source = read('packages/core/src/events.ts')
    const kinds = [...source.matchAll(/readonly kind: '([a-z.-]+)'/g)].map((match) => match[1])
    const explained = [...read('docs/events.md').matchAll(/^\| `([a-z-]+\.[a-z-]+)` \|/gm)].map(
      (match) => match[1],
    )
    expect(kinds.length).toBeGreaterThan(9)
    expect(explained.toSorted()).toEqual(kinds.toSorted())
  })
})

describe('the options table of the README', () => {
  const rows = tableRows(read('README.md'), '| option | default |')
  const options = optionsOf(read('packages/core/src/options.ts'))

  it('has a row for every option, and for no other', () => {
    expect(rows.map(([name]) => name).toSorted()).toEqual(options.map(({ name }) => name).toSorted())
  })

  it('tells the defaults that the doc comments tell', () => {
    const wrong = options.filter(({ name, documented }) => {
      const shown = rows.find(([row]) => row === name)?.[1]
      return shown === undefined || (documented === undefined ? shown !== '–' : !documented.startsWith(shown))
    })
    expect(wrong).toEqual([])
  })

  it('tells the limits and timeouts that hold', () => {
    const { limits, timeouts, lateCosts } = checkOptions({
      providers: [openaiCompatible({ id: 'any', baseUrl: 'http://127.0.0.1' })],
      authenticate: () => undefined,
    })
    const { policy: _policy, ...waits } = lateCosts
    const held = [
      ...entriesOf('limits', limits),
      ...entriesOf('timeouts', timeouts),
      ...entriesOf('lateCosts', waits),
    ]
    const shown = rows
      .filter(([name]) => name?.includes('.') && !['lateCosts.policy', 'health.shared'].includes(name))
      .map(([name, value]) => [name, Number.parseInt(value ?? '', 10)])
    expect(shown).toEqual(held)
  })
})

describe('the examples', () => {
  it.each(documents)('%s imports only names that exist', (document) => {
    const missing: string[] = []
    for (const { specifier, names } of importsOf(document)) {
      const source = sourceOf(specifier)
      for (const name of names) {
        if (source === undefined || !exportsName(source, name)) missing.push(`${name} from ${specifier}`)
      }
    }
    expect(missing).toEqual([])
  })

  // A whole run of the compiler, which takes its time on a busy machine.
  it('compile', { timeout: 180_000 }, () => {
    const examples = documents.flatMap((document) =>
      blocksOf(document, 'ts').map((text, index) => ({ document, index, text })),
    )
    expect(examples.length).toBeGreaterThan(15)
    expect(compile(examples)).toBe('')
  })
})

/** What an untouched free account gets for a request beyond its credit. */
async function refusedForCredit(): Promise<unknown> {
  const gateway = createGateway({
    providers: [openaiCompatible({ id: 'example', baseUrl: 'http://127.0.0.1:9' })],
    authenticate: () => ({ accountId: 'alice' }),
    clock: fakeClock(Date.UTC(2026, 10, 22)),
    ids: countedIds('request'),
    catalog: [
      {
        providerId: 'example',
        providerModel: 'large',
        model: 'example/large',
        operation: 'chat',
        price: { input_token: perMillion('2.00'), output_token: perMillion('8.00') },
        source: 'https://example.com/pricing',
        readOn: '2026-11-22',
      },
    ],
  })
  const body = { model: 'example/large', messages: [{ role: 'user', content: 'x'.repeat(60_000) }] }
  const response = await gateway.handle({
    method: 'POST',
    path: '/v1/chat/completions',
    headers: {},
    body: { kind: 'parsed', value: body },
    signal: new AbortController().signal,
  })
  await gateway.close()
  return JSON.parse(String(response?.body))
}

/**
 * Compiles examples as if they stood in this repository: what begins with `// path/to/file.ts` in that place, so that its
 * relative imports are the real ones.
 */
function compile(
  examples: readonly { readonly document: string; readonly index: number; readonly text: string }[],
): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'farebox-docs-')))
  try {
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    const place = join(folder, 'repository')
    mkdirSync(place)
    symlinkSync(join(root, 'test/node_modules'), join(place, 'node_modules'))
    const files = examples.map(({ document, index, text }) => {
      const named = /^\/\/ (\S+\.ts)\n/.exec(text)?.[1]
      const file = named ?? `${document.replaceAll(/\W/g, '-')}-${index}.ts`
      mkdirSync(dirname(join(place, file)), { recursive: true })
      writeFileSync(join(place, file), `${text}\nexport {}\n`)
      return file
    })
    const compilerOptions = {
      rootDir: parse(root).root,
      rootDirs: [place, root],
      noUnusedLocals: false,
      noPropertyAccessFromIndexSignature: false,
    }
    writeFileSync(join(place, 'package.json'), '{"type":"module"}')
    const config = { extends: join(root, 'tsconfig.test.json'), compilerOptions, include: [], files }
    writeFileSync(join(place, 'tsconfig.json'), JSON.stringify(config))
    const tsc = join(root, 'node_modules/.bin/tsc')
    const { stdout, stderr } = spawnSync(tsc, ['-p', place, '--pretty', 'false'], { encoding: 'utf8' })
    return stdout + stderr
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function markdownIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) {
      return ['node_modules', 'dist', 'coverage'].includes(entry.name) || entry.name.startsWith('.')
        ? []
        : markdownIn(path)
    }
    return entry.name.endsWith('.md') ? [relative(root, path)] : []
  })
}

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}

/** Links inside the repository, as paths from its root. */
function linksOf(document: string): { readonly file: string; readonly heading: string | undefined }[] {
  return [...withoutCode(read(document)).matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => match[1] ?? '')
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [path = '', heading] = target.split('#')
      return { file: path === '' ? document : join(dirname(document), path), heading }
    })
}

function headingsOf(document: string): string[] {
  return [...withoutCode(read(document)).matchAll(/^#{1,6} (.+)$/gm)].map((match) => match[1] ?? '')
}

/** As GitHub makes an anchor of a heading. */
function slugOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
}

function sectionOf(text: string, heading: string): string {
  const [, section = ''] = text.split(`\n## ${heading}\n`)
  return section.split('\n## ')[0] ?? ''
}

function withoutCode(text: string): string {
  return text.replaceAll(/^```.*?^```$/gms, '')
}

function blocksOf(document: string, ...languages: readonly string[]): string[] {
  return [...read(document).matchAll(/^```(\w+)\n(.*?)^```$/gms)]
    .filter((match) => languages.includes(match[1] ?? ''))
    .map((match) => match[2] ?? '')
}

/** The cells of the table that begins with this header, without backticks. */
function tableRows(text: string, header: string): string[][] {
  const lines = text.split('\n')
  const start = lines.findIndex((line) => line.startsWith(header))
  const rest = lines.slice(start + 2)
  const end = rest.findIndex((line) => !line.startsWith('|'))
  return rest.slice(0, end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  )
}

interface Option {
  readonly name: string
  /** What its doc comment says behind `@default`. */
  readonly documented: string | undefined
}

/** Options that are objects of options. */
const groups = ['limits', 'timeouts', 'lateCosts', 'health']

function optionsOf(source: string): Option[] {
  const members = (name: string, prefix: string): Option[] => {
    const body = new RegExp(`^export interface ${name} \\{\\n(.*?)^\\}`, 'ms').exec(source)?.[1] ?? ''
    return [...body.matchAll(/(?:\/\*\*(.*?)\*\/\s+)?readonly (\w+)\??:/g)].map((match) => ({
      name: prefix + match[2],
      documented: /@default (.+?)\s*$/.exec(match[1] ?? '')?.[1],
    }))
  }
  return [
    ...members('GatewayOptions', '').filter(({ name }) => !groups.includes(name)),
    ...members('GatewayLimits', 'limits.'),
    ...members('GatewayTimeouts', 'timeouts.'),
    ...members('LateCostOptions', 'lateCosts.'),
    ...members('TargetHealthOptions', 'health.'),
  ]
}

function entriesOf(group: string, values: object): (readonly [string, unknown])[] {
  return Object.entries(values).map(([name, value]) => [`${group}.${name}`, value])
}

/** What examples import from this project. */
function importsOf(document: string): { readonly specifier: string; readonly names: readonly string[] }[] {
  return blocksOf(document, 'ts', 'js').flatMap((text) =>
    [...text.matchAll(/^import (?:type )?\{([^}]+)\} from '(@farebox\/[^']+)'/gm)].map((match) => ({
      specifier: match[2] ?? '',
      names: (match[1] ?? '')
        .split(',')
        .map((name) => name.trim().replace(/^type /, ''))
        .filter((name) => name !== ''),
    })),
  )
}

/** The source behind a specifier, as the package's exports say. */
function sourceOf(specifier: string): string | undefined {
  const [, name = '', subpath] = /^@farebox\/([^/]+)(?:\/(.+))?$/.exec(specifier) ?? []
  const { exports } = JSON.parse(read(`packages/${name}/package.json`)) as {
    readonly exports: Readonly<Record<string, { readonly '@farebox/source': string }>>
  }
  const [folder = '', file = ''] = subpath?.split('/') ?? []
  const exact = exports[subpath === undefined ? '.' : `./${subpath}`]
  const path = (exact ?? exports[`./${folder}/*`])?.['@farebox/source'].replace('*', file)
  const found = path === undefined ? undefined : join('packages', name, path)
  return found !== undefined && existsSync(join(root, found)) ? read(found) : undefined
}

function exportsName(source: string, name: string): boolean {
  return (
    new RegExp(`^export (?:async )?(?:function|const|class|interface|type) ${name}\\b`, 'm').test(source) ||
    [...source.matchAll(/^export (?:type )?\{([^}]+)\}/gm)].some((match) =>
      (match[1] ?? '').split(',').some((item) => item.trim().replace(/^type /, '') === name),
    )
  )
}
