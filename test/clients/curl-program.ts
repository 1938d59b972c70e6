import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** What `curl` printed, and how it ended. */
export interface CurlRun {
  readonly exitCode: number | null
  readonly out: string
  /** With `-v` both heads, else its complaints. */
  readonly err: string
}

/** A running `curl`. */
export interface CurlProcess {
  /** What it has printed so far. */
  out(): string
  /** Ends it as Ctrl-C would. */
  stop(): void
  readonly ended: Promise<CurlRun>
}

/** Starts the real program, without the settings of whoever runs the tests. `input` is what it reads by `@-`. */
export function startCurl(args: readonly string[], input: string | Buffer = ''): CurlProcess {
  const child = spawn('curl', ['-q', '-sS', '--max-time', '20', ...args], { stdio: 'pipe' })
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  // It may end before it has read everything.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  return {
    out: () => out,
    stop: () => void child.kill('SIGINT'),
    ended: once(child, 'close').then(([exitCode]) => ({ exitCode: exitCode as number | null, out, err })),
  }
}

/** Runs it to its end. */
export function curl(args: readonly string[], input?: string | Buffer): Promise<CurlRun> {
  return startCurl(args, input).ended
}
