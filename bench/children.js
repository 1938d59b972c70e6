import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'

/** How long a child may take over anything it is asked, beyond the time it was asked to spend. */
const answerMarginMs = 30_000

/** Part of util-linux: starts a command on some of the processors. */
const pinCommand = 'taskset'

/**
 * Starts the module at `url` as a child that answers what it is asked, see `answerParent`.
 *
 * `core` pins it to one processor. The child ends with this process, whatever happens to it.
 */
export function startChild(url, { arguments: values = [], nodeOptions = [], core } = {}) {
  const script = fileURLToPath(url)
  const command = [process.execPath, ...nodeOptions, script, ...values]
  if (core !== undefined) command.unshift(pinCommand, '-c', String(core))
  const child = spawn(command[0], command.slice(1), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...process.env, NODE_ENV: 'production' },
  })
  const waiting = new Map()
  let lastId = 0
  let failure

  function fail(error) {
    failure ??= error
    for (const { reject } of waiting.values()) reject(failure)
  }

  child.on('error', fail)
  child.on('message', ({ id, answer, error }) => {
    if (error === undefined) waiting.get(id)?.resolve(answer)
    else waiting.get(id)?.reject(new Error(`${basename(script)}: ${error}`))
  })
  const ended = new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      fail(new Error(`${basename(script)} ended by itself (${signal ?? code}).`))
      resolve()
    })
  })

  return {
    /** Why this child can no longer be asked; `undefined` while it can. */
    get failure() {
      return failure
    },
    /** Gives what the child's answer of this name returned. Rejects when it threw, ended, or took too long. */
    async ask(name, question = {}) {
      if (failure !== undefined) throw failure
      lastId += 1
      const id = lastId
      let timer
      try {
        return await new Promise((resolve, reject) => {
          waiting.set(id, { resolve, reject })
          const limitMs = (question.durationMs ?? 0) + answerMarginMs
          timer = setTimeout(
            () => reject(new Error(`${basename(script)} did not answer "${name}".`)),
            limitMs,
          )
          child.send({ id, name, question }, (error) => {
            if (error !== null) reject(error)
          })
        })
      } finally {
        clearTimeout(timer)
        waiting.delete(id)
      }
    },
    /** Lets the child end by itself, which writes what it was told to write at its end. */
    async stop() {
      if (child.connected) child.disconnect()
      const timer = setTimeout(() => child.kill('SIGKILL'), answerMarginMs)
      await ended
      clearTimeout(timer)
    },
  }
}

/** Answers what the parent asks with `answers[name](question)`, and ends this process when the parent is gone. */
export function answerParent(answers) {
  process.once('disconnect', () => process.exit())
  process.on('message', async ({ id, name, question }) => {
    try {
      send({ id, answer: await answers[name](question) })
    } catch (error) {
      send({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  })
}

function send(message) {
  if (process.connected) process.send(message)
}

/** A processor for the server and one for everything around it; nothing where processes cannot be pinned. */
export function coresToPin() {
  try {
    const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? ''
    const cores = list.split(',').flatMap((range) => {
      const [first, last = first] = range.split('-').map(Number)
      return Array.from({ length: last - first + 1 }, (_, index) => first + index)
    })
    if (cores.length < 2 || !hasTaskset()) return {}
    return { server: cores[0], others: cores[1] }
  } catch {
    // Not Linux.
    return {}
  }
}

function hasTaskset() {
  return spawnSync(pinCommand, ['--version'], { stdio: 'ignore' }).status === 0
}
