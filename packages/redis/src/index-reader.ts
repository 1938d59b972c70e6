import type { Commands } from './commands.ts'
import type { BucketKeys, KeyNames } from './key-names.ts'
import { readIndex } from './scripts.ts'

/** Reads names out of all parts of the index as if it were one, in the order of their bytes. */
export interface IndexReader {
  after(
    from: keyof BucketKeys,
    what: { readonly cursor: string | null; readonly prefix: string; readonly limit: number },
  ): Promise<readonly string[]>
}

export function indexReader(names: KeyNames, commands: Commands): IndexReader {
  return {
    async after(from, { cursor, prefix, limit }) {
      const lower = cursor === null ? `[${prefix}` : `(${cursor}`
      // No text has this byte, so nothing with the prefix comes after it.
      const upper = prefix === '' ? '+' : Buffer.concat([Buffer.from(`(${prefix}`), Buffer.of(0xff)])
      const found = await Promise.all(
        names.buckets.map((bucket) =>
          commands.read(readIndex, [bucket[from]], [lower, upper, String(limit)]),
        ),
      )
      return (found as readonly (readonly string[])[]).flat().sort(byBytes).slice(0, limit)
    },
  }
}

/** As Redis orders them, which for letters beyond the basic plane is not JavaScript's order. */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
