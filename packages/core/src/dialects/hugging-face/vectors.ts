import { z } from 'zod'
import type { Reply } from '../dialect.ts'

const vectorList = z.looseObject({ data: z.array(z.looseObject({ embedding: z.array(z.number()) })) })

/** The vectors of a reply to an embeddings call, in order; `undefined` when it holds something else. */
export function vectorsOf({ bytes }: Reply): readonly (readonly number[])[] | undefined {
  const parsed = vectorList.safeParse(JSON.parse(bytes.toString('utf8')))
  return parsed.data?.data.map(({ embedding }) => embedding)
}
