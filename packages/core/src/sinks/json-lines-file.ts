import { type FileHandle, open } from 'node:fs/promises'
import type { JournalSink } from '../journals/journal-export.ts'
import type { JournalBatch } from '../ledger/export-cursor.ts'

export interface JsonLinesFile extends JournalSink {
  /** Closes the file, after what is being written. */
  close(): Promise<void>
}

/**
 * A file with one line of JSON for each entry: `account`, `seq` as text, `hash`, and the `entry` as it was hashed, with bigints
 * as `"12n"`. A batch is on disk (fdatasync) before it is acknowledged. A line that a crash has cut off is removed when the
 * file is opened again; its entry comes once more. The file is created, with its owner alone to read it, or added to.
 * One process at a time.
 */
export function jsonLinesFile(path: string): JsonLinesFile {
  let file: Promise<FileHandle> | undefined
  let last: Promise<void> = Promise.resolve()

  async function append(batch: JournalBatch): Promise<void> {
    // A file that could not be opened is tried again with the next batch.
    file ??= openWhole(path)
    let handle: FileHandle
    try {
      handle = await file
    } catch (error) {
      file = undefined
      throw error
    }
    const { size } = await handle.stat()
    try {
      await handle.appendFile(linesOf(batch))
      await handle.datasync()
    } catch (error) {
      // What was written of it would be followed by the same lines again, in the middle of one.
      await handle.truncate(size).catch(() => undefined)
      throw error
    }
  }

  return {
    write(batch) {
      const written = last.then(() => append(batch))
      last = written.catch(() => undefined)
      return written
    },
    async close() {
      await last
      await (await file)?.close()
      file = undefined
    },
  }
}

function linesOf({ accountId, entries }: JournalBatch): string {
  const account = JSON.stringify(accountId)
  return entries
    .map(({ seq, hash, text }) => `{"account":${account},"seq":"${seq}","hash":"${hash}","entry":${text}}\n`)
    .join('')
}

const lookBackBytes = 64 * 1024

/** Opens a file for adding, and cuts off what comes behind its last whole line. */
async function openWhole(path: string): Promise<FileHandle> {
  const handle = await open(path, 'a+', 0o600)
  try {
    const { size } = await handle.stat()
    let end = size
    while (end > 0) {
      const start = Math.max(0, end - lookBackBytes)
      const { buffer } = await handle.read(Buffer.alloc(end - start), 0, end - start, start)
      const newline = buffer.lastIndexOf(0x0a)
      if (newline !== -1) {
        end = start + newline + 1
        break
      }
      end = start
    }
    if (end < size) await handle.truncate(end)
    return handle
  } catch (error) {
    await handle.close()
    throw error
  }
}
