import { closeSync, fsyncSync, openSync, readFileSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { median } from './statistics.js'

/** What a figure is worth nothing without. */
export function conditions({ directory, cores, options, turnsPerRound, stolenBefore }) {
  return {
    node: process.version,
    undici: versionOf('undici'),
    express: versionOf('express'),
    libsql: versionOf('libsql'),
    platform: `${process.platform} ${process.arch}`,
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    pinned:
      cores.server === undefined
        ? 'nothing'
        : `the server to processor ${cores.server}, upstream and load to ${cores.others}`,
    rounds: options.rounds,
    turnsPerRound,
    measureMs: options.measureMs,
    warmUpMs: options.warmUpMs,
    fileSystem: fileSystem(directory),
    fsyncMsP50: fsyncMs(directory),
    loadAverage: loadavg()[0],
    stolenShare: stolenShare(stolenBefore, stolenTime()),
  }
}

/** Processor time so far, and how much of it went to other virtual machines while this one wanted it. */
export function stolenTime() {
  try {
    const line = /^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? ''
    // user, nice, system, idle, iowait, irq, softirq, steal; what follows is contained in the first two.
    const times = line.split(' ').slice(0, 8).map(Number)
    return { stolen: times[7] ?? 0, all: times.reduce((sum, time) => sum + time, 0) }
  } catch {
    return { stolen: 0, all: 0 }
  }
}

function stolenShare(before, after) {
  return after.all === before.all ? undefined : (after.stolen - before.stolen) / (after.all - before.all)
}

function versionOf(name) {
  const packages = createRequire(import.meta.url).resolve.paths(name) ?? []
  for (const folder of packages) {
    try {
      return JSON.parse(readFileSync(join(folder, name, 'package.json'), 'utf8')).version
    } catch {
      // In one of the next folders, as require would look for it.
    }
  }
  return 'unknown'
}

/** From statfs(2). */
const fileSystems = {
  61267: 'ext4',
  16914836: 'tmpfs',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  2035054128: 'overlay',
}

/** Where syncing costs nothing, the figures of a database say nothing. */
function fileSystem(directory) {
  const { type } = statfsSync(directory)
  return fileSystems[type] ?? `0x${type.toString(16)}`
}

function fsyncMs(directory) {
  const file = join(directory, 'fsync')
  const handle = openSync(file, 'w')
  const block = Buffer.alloc(4096, 1)
  const samples = Array.from({ length: 50 }, () => {
    const startedMs = performance.now()
    writeSync(handle, block)
    fsyncSync(handle)
    return performance.now() - startedMs
  })
  closeSync(handle)
  rmSync(file)
  return median(samples)
}
