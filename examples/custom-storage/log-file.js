import { hash } from 'node:crypto'
import { openSync, readFileSync, readSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { OutcomeUnknown, Unavailable } from '@farebox/core'

/**
 * A file that lines are only ever added to. A line that was acknowledged is on disk. Each begins with a checksum: what a crash
 * has cut off, or the disk wrote only in part, is removed when the file is opened again.
 *
 * All lines that come while the disk is busy share the next write and its fsync.
 */
export async function openLogFile(folder, onLine) {
  const unlock = lock(folder)
  const path = join(folder, 'log')
  const file = await open(path, 'a+')
  await file.truncate(replay(path, onLine))
  let waiting = []
  let writing
  let failure

  async function write() {
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      try {
        await file.appendFile(batch.map(({ line }) => line).join(''))
        await file.datasync()
        for (const { resolve } of batch) resolve()
      } catch (cause) {
        // What is in memory is ahead of the disk now, and nobody knows by how much. Only opening the file anew helps.
        failure = new Unavailable('The log could not be written. Open the storage again.', { cause })
        const unknown = new OutcomeUnknown('Nobody knows how much of it reached the disk.', { cause })
        for (const { reject } of [...batch, ...waiting]) reject(unknown)
        waiting = []
      }
    }
    writing = undefined
  }

  return {
    /** Throws when nothing can be written any more: then nothing may be decided either. */
    check() {
      if (failure !== undefined) throw failure
    },
    /** Adds a line. Resolves when it is on disk, with everything before it. */
    add(value) {
      return new Promise((resolve, reject) => {
        const text = JSON.stringify(value)
        waiting.push({ line: `${checksum(text)} ${text}\n`, resolve, reject })
        writing ??= Promise.resolve().then(write)
      })
    },
    /** Resolves when everything that was added is on disk. Rejects when it may not be. */
    flushed() {
      return waiting.length === 0 && writing === undefined
        ? Promise.resolve()
        : new Promise((resolve, reject) => waiting.push({ line: '', resolve, reject }))
    },
    async close() {
      await writing
      await file.close()
      unlock()
    },
  }
}

function checksum(text) {
  return hash('sha256', text).slice(0, 16)
}

/** Hands over every whole line, and gives where they end. */
function replay(path, onLine) {
  const descriptor = openSync(path, 'r')
  const chunk = Buffer.alloc(1024 * 1024)
  let rest = Buffer.alloc(0)
  let end = 0
  for (;;) {
    const length = readSync(descriptor, chunk, 0, chunk.length, null)
    if (length === 0) return end
    rest = Buffer.concat([rest, chunk.subarray(0, length)])
    let start = 0
    for (let newline = rest.indexOf(10); newline !== -1; newline = rest.indexOf(10, start)) {
      const line = rest.toString('utf8', start, newline)
      const text = line.slice(17)
      if (line.slice(0, 16) !== checksum(text)) return end
      onLine(JSON.parse(text))
      end += newline + 1 - start
      start = newline + 1
    }
    rest = rest.subarray(start)
  }
}

/** One process at a time: two would not see each other's writes. The lock of a process that died is taken over. */
function lock(folder) {
  const path = join(folder, 'lock')
  for (;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx' })
      return () => rmSync(path, { force: true })
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    const pid = Number(readFileSync(path, 'utf8'))
    if (isAlive(pid) && statSync(path).size > 0) throw new Error(`Process ${pid} has ${folder} open.`)
    rmSync(path, { force: true })
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}
