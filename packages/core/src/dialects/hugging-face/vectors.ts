import { z } from 'zod'
import type { Reply } from '../dialect.ts'
import { readReply } from '../read-reply.ts'

const vectorList = z.looseObject({ data: z.array(z.looseObject({ embedding: z.array(z.number()) })) })

/** The vectors of a reply to an embeddings call, in order; `undefined` when it holds something else. */
export function vectorsOf(reply: Reply): readonly (readonly number[])[] | undefined {
  return readReply(vectorList, reply)?.data.map(({ embedding }) => embedding)
}
