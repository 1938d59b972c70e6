import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** A server in a process of its own. */
export interface ServerProcess {
  readonly baseUrl: string
  readonly process: ChildProcess
  /** Everything it has printed so far. */
  output(): string
  /** Ends it by a signal and waits until it is gone. */
  stop(signal: 'SIGINT' | 'SIGKILL'): Promise<void>
}

/**
 * Starts a server and waits for its `farebox ready` line.
 *
 * @throws Error with everything it printed when it ends before it is ready.
 */
export async function startServer(
  script: string,
  environment: Readonly<Record<string, string>>,
): Promise<ServerProcess> {
  const child = spawn(process.execPath, [script], {
    env: { ...process.env, PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  const ready = new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        lines.push(line)
        const match = /^farebox ready (\S+)$/.exec(line)
        if (match?.[1] !== undefined) resolve(match[1])
      })
    }
    child.once('exit', (code) => reject(new Error(`The server ended with ${code}:\n${lines.join('\n')}`)))
  })
  const baseUrl = await ready
  return {
    baseUrl,
    process: child,
    output: () => lines.join('\n'),
    async stop(signal) {
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      child.kill(signal)
      await gone
    },
  }
}
