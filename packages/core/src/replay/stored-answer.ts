import { hash } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { DocumentPage, KeyStore } from '../ledger/key-store.ts'
import { reach } from '../ledger/reach.ts'

/** A request that is under way under an idempotency key. */
export type RunningAnswer = {
  readonly state: 'running'
  /** What was asked, to recognise another request under the same key. */
  readonly fingerprint: string
  readonly requestId: string
  /** Until then its hold may still turn into a charge. Milliseconds since 1970 UTC. */
  readonly untilMs: number
  /** It was answered with an error, and its hold is still to be ended. */
  readonly hasFailed?: true
}

/** What a request was answered with. */
export type DoneAnswer = {
  readonly state: 'done'
  readonly fingerprint: string
  readonly requestId: string
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly isStream: boolean
  /** How many documents hold the body; `null` when it was too large to keep. */
  readonly parts: number | null
  /** Until then it is given again. Milliseconds since 1970 UTC. */
  readonly untilMs: number
}

export type StoredAnswer = RunningAnswer | DoneAnswer

type AnswerPart = { readonly untilMs: number; readonly base64: string }

/** Answers as small documents: one that says what there is, and the body in parts. */
export interface AnswerStore {
  read(name: string): Promise<{ readonly answer: StoredAnswer; readonly version: bigint } | undefined>
  /** Writes if the answer is still at this version. Gives whether it was written. */
  write(name: string, answer: StoredAnswer, expectedVersion: bigint | null): Promise<boolean>
  forget(name: string, expectedVersion: bigint): Promise<void>
  writeBody(name: string, body: Uint8Array, untilMs: number): Promise<number>
  /** `undefined` when a part is no longer there. */
  readBody(name: string, parts: number): Promise<Buffer | undefined>
  /** Forgets answers past their time, and claims `claimMs` after theirs. */
  prune(nowMs: number, claimMs: number): Promise<void>
}

/** As base64 a part stays below the 65,536 characters a document may have. */
const partBytes = 48_000

const headPrefix = 'answer:'
const partPrefix = 'answer-part:'

/** The name of an answer: nobody finds another caller's, and no key is kept as it was sent. */
export function answerName(scope: readonly string[], key: string): string {
  return hash('sha256', JSON.stringify([...scope, key]))
}

export function createAnswerStore(keys: KeyStore, clock: Clock): AnswerStore {
  const partKey = (name: string, index: number) => `${partPrefix}${name}:${index}`

  async function overwrite(key: string, value: AnswerPart): Promise<void> {
    for (;;) {
      const found = await reach(clock, () => keys.get(key))
      if (await reach(clock, () => keys.put(key, value, found?.version ?? null))) return
    }
  }

  async function pruneBy(
    prefix: string,
    isOver: (value: StoredAnswer | AnswerPart) => boolean,
  ): Promise<void> {
    let cursor: string | null = null
    do {
      const after: string | null = cursor
      const page: DocumentPage = await reach(clock, () => keys.list(prefix, after, 100))
      for (const { key, value, version } of page.documents) {
        if (isOver(value as StoredAnswer | AnswerPart)) await reach(clock, () => keys.delete(key, version))
      }
      cursor = page.cursor
    } while (cursor !== null)
  }

  return {
    async read(name) {
      const found = await reach(clock, () => keys.get(headPrefix + name))
      return found && { answer: found.value as StoredAnswer, version: found.version }
    },
    write: (name, answer, expectedVersion) =>
      reach(clock, () => keys.put(headPrefix + name, answer, expectedVersion)),
    async forget(name, expectedVersion) {
      await reach(clock, () => keys.delete(headPrefix + name, expectedVersion))
    },
    async writeBody(name, body, untilMs) {
      const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
      const parts = Math.ceil(bytes.length / partBytes)
      for (let index = 0; index < parts; index += 1) {
        const part = bytes.subarray(index * partBytes, (index + 1) * partBytes)
        await overwrite(partKey(name, index), { untilMs, base64: part.toString('base64') })
      }
      return parts
    },
    async readBody(name, parts) {
      const pieces: Buffer[] = []
      for (let index = 0; index < parts; index += 1) {
        const found = await reach(clock, () => keys.get(partKey(name, index)))
        if (found === undefined) return undefined
        pieces.push(Buffer.from((found.value as AnswerPart).base64, 'base64'))
      }
      return Buffer.concat(pieces)
    },
    async prune(nowMs, claimMs) {
      const isOver = (value: StoredAnswer | AnswerPart) => {
        const isClaim = 'state' in value && value.state === 'running'
        return value.untilMs + (isClaim ? claimMs : 0) <= nowMs
      }
      await pruneBy(headPrefix, isOver)
      await pruneBy(partPrefix, isOver)
    },
  }
}
