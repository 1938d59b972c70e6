import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const core = join(root, 'packages/core/src')

/** A module imports from its own place or from places to its left. ARCHITECTURE.md shows the same line. */
const direction = [
  'foundation',
  'http',
  'dialects',
  'catalog',
  'metering',
  'ledger',
  'statements',
  'providers',
  'auth',
  'admission',
  'routing',
  'policies',
  'dispatch',
  'replay',
  'composition',
  'node',
]

const foundation = [
  'assert.ts',
  'clock.ts',
  'errors.ts',
  'ids.ts',
  'money.ts',
  'price.ts',
  'rate-usage.ts',
  'unit.ts',
  'usage.ts',
]

/** What of the composition has become a folder. */
const composed = ['accounts', 'journals', 'rerating', 'settlement', 'sinks', 'webhooks']

/** Who may use which library, by the place in core. */
const libraries: Readonly<Record<string, readonly string[]>> = {
  undici: ['dispatch/transport.ts'],
  zod: ['options.ts', 'dialects/', 'providers/'],
  'lru-cache': ['auth/', 'catalog/', 'ledger/memory-counters.ts'],
}

interface Import {
  readonly file: string
  readonly name: string
}

describe('core', () => {
  it('imports only from the same place or from places to the left of it', () => {
    const wrong = importsOf(core)
      .filter(({ name }) => name.startsWith('.'))
      .filter(({ file, name }) => {
        const target = relative(core, resolve(dirname(join(core, file)), name))
        return direction.indexOf(placeOf(target)) > direction.indexOf(placeOf(file))
      })
    expect(wrong).toEqual([])
  })

  it('uses each library only where the table allows it, and no other', () => {
    const wrong = importsOf(core)
      .filter(({ name }) => !name.startsWith('.') && !name.startsWith('node:'))
      .filter(({ file, name }) => libraries[name]?.some((place) => file.startsWith(place)) !== true)
    expect(wrong).toEqual([])
  })

  it('reaches the ledger store from the ledger only', () => {
    const wrong = importsOf(core)
      .filter(({ name }) => name.endsWith('ledger/storage.ts'))
      .filter(({ file }) => !file.startsWith('ledger/') && !['index.ts', 'options.ts'].includes(file))
    expect(wrong).toEqual([])
  })

  it('reads time, chance and identity from clock.ts and ids.ts only', () => {
    const wrong = sourcesOf(core)
      .filter((file) => !['clock.ts', 'ids.ts'].includes(file))
      .filter((file) =>
        /\bDate\.now\(|new Date\(\)|Math\.random\(|randomUUID\(|performance\.now\(/.test(read(core, file)),
      )
    expect(wrong).toEqual([])
  })

  it('has a place in the direction for every folder', () => {
    const folders = readdirSync(core, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    const placed = [...direction, ...composed]
    expect(folders.map(({ name }) => name).filter((name) => !placed.includes(name))).toEqual([])
  })
})

describe('the other packages', () => {
  const allowed: Readonly<Record<string, readonly string[]>> = {
    cli: [
      '@farebox/core',
      '@farebox/core/providers/openai-compatible',
      '@farebox/core/sinks/json-lines-archive',
      '@farebox/core/sinks/json-lines-file',
      '@farebox/postgres',
      '@farebox/redis',
      '@farebox/sqlite',
      '@farebox/testkit/ledger',
      '@farebox/testkit/storage',
    ],
    express: ['@farebox/core', '@farebox/core/node', 'express'],
    fastify: ['@farebox/core', '@farebox/core/node', 'fastify'],
    koa: ['@farebox/core', '@farebox/core/node', 'koa'],
    postgres: ['@farebox/core', '@farebox/core/batching'],
    redis: ['@farebox/core', '@farebox/core/batching'],
    sqlite: ['@farebox/core', '@farebox/core/batching'],
    stripe: ['@farebox/core', 'stripe'],
    testkit: [
      '@farebox/core',
      '@farebox/core/providers/cerebras',
      '@farebox/core/providers/openai-compatible',
      '@farebox/core/providers/together',
      '@farebox/core/providers/replicate',
    ],
  }

  it.each(readdirSync(join(root, 'packages')).filter((name) => name !== 'core'))(
    '%s imports only what its row allows',
    (name) => {
      const folder = join(root, 'packages', name, 'src')
      const wrong = importsOf(folder)
        .filter((found) => !found.name.startsWith('.') && !found.name.startsWith('node:'))
        .filter((found) => allowed[name]?.includes(found.name) !== true)
      expect(wrong).toEqual([])
    },
  )

  it.each(['express', 'fastify', 'koa'])('use %s for its types only', (framework) => {
    const folder = join(root, 'packages', framework, 'src')
    for (const file of sourcesOf(folder)) {
      expect(read(folder, file)).not.toMatch(new RegExp(`^import (?!type ).*'${framework}'`, 'm'))
    }
  })
})

function placeOf(file: string): string {
  const [folder = '', ...rest] = file.split('/')
  if (rest.length > 0) return composed.includes(folder) ? 'composition' : folder
  return foundation.includes(folder) ? 'foundation' : 'composition'
}

function importsOf(folder: string): Import[] {
  return sourcesOf(folder).flatMap((file) =>
    [...read(folder, file).matchAll(/^(?:import|export)\b[^'"]*?from '([^']+)'|^import '([^']+)'/gms)].map(
      (match) => ({
        file,
        name: match[1] ?? match[2] ?? '',
      }),
    ),
  )
}

function sourcesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.includes('__fixtures__'),
  )
}

function read(folder: string, file: string): string {
  return readFileSync(join(folder, file), 'utf8')
}
