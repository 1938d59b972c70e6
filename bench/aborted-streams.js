import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { memoryStorage } from '@farebox/core'
import { middleware } from '@farebox/express'
import { sqlite } from '@farebox/sqlite'
import { leaveStreams } from '@farebox/testkit/adapter'
import express from 'express'
import Database from 'libsql'

const help = `Opens streams on an Express server, and leaves them: before the provider has answered, after a piece, while pieces come, and
without having read any. Then tells what is left of them.

  npm run soak:aborted -- [options]

  --streams N     how many (100000)
  --in-flight N   how many at a time (200)
  --storage KIND  sqlite keeps the journal in a file; memory keeps it on the heap, which grows by it (sqlite)
  --assert        exit with 1 unless everything is as it was before
  --json          the figures as one line of JSON
  --help

Heap, sockets, timers, whatever else keeps a process alive, places of a rate limit on requests at once, holds and the state of
the circuit are looked at before and after. Each stream has to be settled once, and the audit has to prove the account's books.
Stopped with Ctrl+C, it tells what those so far have left. Build first: npm run build.
`

const progressMs = 5_000

/** What the journal takes of memory for each stream, where it is kept there. */
const journalBytes = 20_000

function readOptions(args) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        streams: { type: 'string', default: '100000' },
        'in-flight': { type: 'string', default: '200' },
        storage: { type: 'string', default: 'sqlite' },
        assert: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) {
      process.stdout.write(help)
      return undefined
    }
    if (!['sqlite', 'memory'].includes(values.storage)) {
      throw new Error(`--storage takes sqlite or memory, not "${values.storage}".`)
    }
    return {
      ...values,
      streams: whole('--streams', values.streams),
      inFlight: whole('--in-flight', values['in-flight']),
    }
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${help}`)
    process.exitCode = 2
    return undefined
  }
}

function whole(option, text) {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new Error(`${option} takes a whole number above zero, not "${text}".`)
}

async function main({ streams, inFlight, storage: kind, assert, json }) {
  const folder = mkdtempSync(join(tmpdir(), 'farebox-aborted-'))
  const startedMs = performance.now()
  const stopping = new AbortController()
  process.once('SIGINT', () => stopping.abort())
  process.once('SIGTERM', () => stopping.abort())
  try {
    const report = await leaveStreams(host, {
      storage: kind === 'memory' ? memoryStorage() : openSqlite(join(folder, 'accounts.db')),
      streams,
      inFlight,
      ...(kind === 'memory' ? { heapGrowthBytesMax: streams * journalBytes } : {}),
      onProgress: showProgress(streams),
      signal: stopping.signal,
    })
    const seconds = (performance.now() - startedMs) / 1000
    process.stdout.write(json ? `${jsonOf({ ...report, seconds })}\n` : `${tableOf(report, seconds)}\n`)
    if (assert && report.wrong.length > 0) process.exitCode = 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A database that nobody needs once the process is gone: it waits for no disk. */
function openSqlite(file) {
  const database = new Database(file)
  const storage = sqlite(database)
  database.exec('PRAGMA synchronous = OFF')
  return storage
}

/** Express with the gateway, as `leaveStreams` mounts it. */
const host = {
  mount(gateway, { prefix }) {
    const app = express()
    app.use(prefix, middleware(gateway))
    return new Promise((resolve, reject) => {
      const server = app.listen(0, '127.0.0.1', (error) => {
        if (error !== undefined) return reject(error)
        const close = () =>
          new Promise((closed) => {
            server.close(() => closed())
            server.closeAllConnections()
          })
        resolve({ url: `http://127.0.0.1:${server.address().port}`, close, stop: close })
      })
    })
  },
}

function showProgress(streams) {
  const startedMs = performance.now()
  let shownMs = startedMs
  return (left) => {
    const nowMs = performance.now()
    if (nowMs - shownMs < progressMs) return
    shownMs = nowMs
    const seconds = (nowMs - startedMs) / 1000
    process.stderr.write(
      `${Math.round(seconds)} s: ${left} of ${streams} streams left, ${Math.round(left / seconds)} a second\n`,
    )
  }
}

function tableOf({ streams, before, after, wrong }, seconds) {
  const rows = [
    ['', 'before', 'after'],
    ['heap', megabytes(before.heapBytes), megabytes(after.heapBytes)],
    ...[...new Set([...Object.keys(before.active), ...Object.keys(after.active)])].map((name) => [
      name,
      before.active[name] ?? 0,
      after.active[name] ?? 0,
    ]),
    ['sockets at the provider', before.providerSockets, after.providerSockets],
    ['timers of the gateway', before.timers, after.timers],
    ['places taken', before.slots, after.slots],
    ['held, nano-USD', before.held, after.held],
    ['target', before.status, after.status],
  ]
  const table = rows.map(
    ([name, ...cells]) => name.padEnd(26) + cells.map((cell) => String(cell).padStart(12)).join(''),
  )
  const verdict = wrong.length === 0 ? ['Everything is as it was.'] : wrong.map((text) => `Wrong: ${text}.`)
  return [`${streams} streams left in ${seconds.toFixed(1)} s.`, '', ...table, '', ...verdict].join('\n')
}

function megabytes(bytes) {
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`
}

function jsonOf(report) {
  return JSON.stringify(report, (_name, value) => (typeof value === 'bigint' ? String(value) : value))
}

const options = readOptions(process.argv.slice(2))
if (options !== undefined) await main(options)
