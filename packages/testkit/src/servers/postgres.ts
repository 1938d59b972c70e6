import { execFile, spawn } from 'node:child_process'
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { claimPort } from './port.ts'

const run = promisify(execFile)

/** How long a server may take to start or to end, in seconds. Only what hangs meets this. */
const patienceS = '110'

/** A PostgreSQL server of a test's own, on a folder of its own. It ends with the process that started it, however that ends. */
export interface PostgresServer {
  /** By TCP on loopback, as `postgres://…`. */
  readonly url: string
  readonly port: number
  /** Where its data is. */
  readonly data: string
  /** Everything the server has logged so far. */
  log(): string
  /** Ends every connection as a crash would and starts again: what was not on disk is gone. */
  restartAfterCrash(): Promise<void>
  /** Ends at once, and stays down until it is started. */
  crash(): Promise<void>
  /** Ends with everything on disk, and stays down until it is started. Its connections end. */
  shutDown(): Promise<void>
  start(): Promise<void>
  /** Makes a standby the primary. */
  promote(): Promise<void>
  stop(): Promise<void>
}

export interface PostgresServerOptions {
  readonly settings?: Readonly<Record<string, string>>
  /** Makes a standby that follows this server, which is shut down for a moment to be copied. */
  readonly follows?: PostgresServer
}

/**
 * Whether the server's programs are on this machine. Where they have to be, with `CI` set, this throws; elsewhere the
 * tests that need them are left out and say what to install. Throws also when `FAREBOX_POSTGRES_BIN` names a folder without
 * them: tests that were to run on one server must not run on another.
 */
export function hasPostgres(): boolean {
  if (findPrograms() !== undefined) return true
  const message =
    'No PostgreSQL server found. Install it (Debian: apt-get install postgresql, macOS: brew install postgresql), or name ' +
    'the folder of its programs in FAREBOX_POSTGRES_BIN. It does not have to run.'
  if (process.env['CI']) throw new Error(message)
  console.warn(`${message} Tests that need it are skipped.`)
  return false
}

/** Starts a server with every commit on disk, as a user without privileges if this process is root. */
export async function startPostgres({
  settings = {},
  follows,
}: PostgresServerOptions = {}): Promise<PostgresServer> {
  const programs = findPrograms()
  if (programs === undefined) throw new Error('There is no PostgreSQL here.')
  const identity = unprivileged()
  const folder = mkdtempSync(join(tmpdir(), 'farebox-pg-'))
  const data = join(folder, 'data')
  mkdirSync(data, { mode: 0o700 })
  if (identity !== undefined) for (const path of [folder, data]) chownSync(path, identity.uid, identity.gid)
  const options = { ...identity, cwd: folder, env: { ...process.env, LC_ALL: 'C', HOME: folder } }
  const port = await claimPort()
  const call = (program: string, args: readonly string[]) => run(join(programs, program), args, options)
  guard({ programs, data, folder, identity })

  if (follows === undefined) {
    await call('initdb', [
      '-D',
      data,
      '-U',
      'postgres',
      '-A',
      'trust',
      '-E',
      'UTF8',
      '--locale=C',
      '--no-sync',
    ])
  } else {
    // Not by pg_basebackup: bare servers come without it, and that of another version may not do.
    await follows.shutDown()
    await run('cp', ['-a', `${follows.data}/.`, data], options)
    writeFileSync(join(data, 'standby.signal'), '')
    await follows.start()
  }
  const all = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: folder,
    max_connections: '200',
    shared_buffers: '32MB',
    max_wal_senders: '4',
    hot_standby: 'on',
    ...(follows && { primary_conninfo: `host=127.0.0.1 port=${follows.port} user=postgres` }),
    ...settings,
  }
  const flags = Object.entries(all).map(([name, value]) => `-c ${name}='${value}'`)
  // Not by `run`: the server would keep the pipes open for as long as it lives.
  const control = (...args: readonly string[]): Promise<void> =>
    new Promise((resolve, reject) => {
      const child = spawn(join(programs, 'pg_ctl'), ['-D', data, '-w', '-t', patienceS, ...args], {
        ...options,
        stdio: 'ignore',
      })
      child.once('error', reject)
      child.once('exit', (code) =>
        code === 0 ? resolve() : reject(new Error(`pg_ctl ${args[0]} gave ${code}.\n${log()}`)),
      )
    })
  const logFile = join(folder, 'log')
  const log = (): string => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '')
  const start = () => control('start', '-l', logFile, '-o', flags.join(' '))
  await start()
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    port,
    data,
    log,
    start,
    crash: () => control('stop', '-m', 'immediate'),
    shutDown: () => control('stop', '-m', 'fast'),
    async restartAfterCrash() {
      await control('stop', '-m', 'immediate')
      await start()
    },
    promote: () => control('promote'),
    async stop() {
      if (existsSync(join(data, 'postmaster.pid'))) await control('stop', '-m', 'immediate')
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** The server that was named, or the newest among those installed. */
function findPrograms(): string | undefined {
  const named = process.env['FAREBOX_POSTGRES_BIN']
  if (named !== undefined && named !== '') {
    if (hasPrograms(named)) return named
    throw new Error(`FAREBOX_POSTGRES_BIN names ${named}, where postgres, initdb and pg_ctl are not.`)
  }
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  const folders = [
    ...versions.map((version) => join(debian, version, 'bin')),
    ...(process.env['PATH'] ?? '').split(delimiter),
    '/opt/homebrew/opt/postgresql/bin',
    '/usr/local/pgsql/bin',
  ]
  return folders.find(hasPrograms)
}

function hasPrograms(folder: string): boolean {
  return ['postgres', 'initdb', 'pg_ctl'].every((name) => existsSync(join(folder, name)))
}

interface Identity {
  readonly uid: number
  readonly gid: number
}

/** PostgreSQL refuses to run as root. */
function unprivileged(): Identity | undefined {
  if (userInfo().uid !== 0) return undefined
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  const user = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody')
  if (user === undefined)
    throw new Error('PostgreSQL does not run as root, and there is neither "postgres" nor "nobody".')
  return { uid: Number(user[2]), gid: Number(user[3]) }
}

/** A process that does nothing until this one is gone, and then ends the server and removes its folder. */
function guard(server: {
  readonly programs: string
  readonly data: string
  readonly folder: string
  readonly identity: Identity | undefined
}): void {
  const script = 'cat > /dev/null; "$1/pg_ctl" -D "$2" stop -m immediate; rm -rf "$3"'
  const child = spawn('sh', ['-c', script, 'guard', server.programs, server.data, server.folder], {
    ...server.identity,
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  child.unref()
  // The other end closes when this process is gone. Until then it keeps nothing waiting.
  ;(child.stdin as unknown as { unref(): void }).unref()
}
