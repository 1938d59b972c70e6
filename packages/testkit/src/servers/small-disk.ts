import { execFileSync, spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A file system of a test's own with so little room that it can be filled. It goes with the process that made it. */
export interface SmallDisk {
  readonly folder: string
  /** Takes all the room that is left: whatever is written now finds the disk full. */
  fill(): void
  /** Gives the room back that `fill` took. */
  free(): void
  remove(): void
}

/**
 * Whether this process may make file systems: on Linux, as root or with `sudo` that asks for nothing. Where it may not, tests
 * that need one are left out and say so.
 */
export function hasSmallDisks(): boolean {
  try {
    makeSmallDisk(1).remove()
    return true
  } catch {
    console.warn('No file system can be mounted here (Linux, as root). Tests of a full disk are skipped.')
    return false
  }
}

/** Makes a file system in memory of so many MiB that everybody may write to. */
export function makeSmallDisk(mebibytes: number): SmallDisk {
  const folder = mkdtempSync(join(tmpdir(), 'farebox-disk-'))
  try {
    run('mount', '-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=1777`, 'tmpfs', folder)
  } catch (error) {
    rmSync(folder, { recursive: true })
    throw error
  }
  const guard = spawn(
    'sh',
    ['-c', `cat > /dev/null; ${prefix.join(' ')} umount -l "$1"; rmdir "$1"`, 'guard', folder],
    {
      cwd: '/',
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    },
  )
  guard.unref()
  // The other end closes when this process is gone, or the disk is removed.
  const { stdin } = guard as unknown as { readonly stdin: { unref(): void; end(): void } }
  stdin.unref()
  const ballast = join(folder, 'ballast')
  return {
    folder,
    fill: () => writeUntilFull(ballast),
    free: () => rmSync(ballast, { force: true }),
    remove: () => stdin.end(),
  }
}

function writeUntilFull(path: string): void {
  const file = openSync(path, 'a')
  try {
    // Whole pages first, then what is smaller than one.
    for (const bytes of [Buffer.alloc(65_536), Buffer.alloc(512)]) {
      try {
        for (;;) writeSync(file, bytes)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      }
    }
  } finally {
    closeSync(file)
  }
}

const prefix = process.getuid?.() === 0 ? [] : ['sudo', '-n']

function run(...command: readonly string[]): void {
  const [program = '', ...args] = [...prefix, ...command]
  execFileSync(program, args, { stdio: 'ignore' })
}
