import { z } from 'zod'
import { jsonBodyOf } from '../../http/request-body.ts'
import { openaiEmbeddings } from '../openai-embeddings.ts'
import { wrongInputs } from './inputs.ts'
import type { Task } from './task.ts'
import { vectorsOf } from './vectors.ts'

const sentences = z.looseObject({
  source_sentence: z.string().min(1),
  sentences: z.array(z.string().min(1)).min(1),
})

/** How near sentences are to one: the cosine between their vectors, which are one embeddings call. */
export const sentenceSimilarity: Task = {
  name: 'sentence-similarity',
  dialect: openaiEmbeddings,
  translate({ value }, model) {
    const parsed = sentences.safeParse(value['inputs'])
    if (!parsed.success) throw wrongInputs('an object with "source_sentence" and "sentences"')
    const input = [parsed.data.source_sentence, ...parsed.data.sentences]
    return jsonBodyOf({ model, input, encoding_format: 'float' })
  },
  reply(_call, reply) {
    const [source, ...others] = vectorsOf(reply) ?? []
    if (source === undefined) return reply
    return { ...reply, bytes: Buffer.from(JSON.stringify(others.map((other) => cosine(source, other)))) }
  },
}

function cosine(a: readonly number[], b: readonly number[]): number {
  const length = Math.sqrt(dot(a, a) * dot(b, b))
  return length === 0 ? 0 : dot(a, b) / length
}

function dot(a: readonly number[], b: readonly number[]): number {
  let sum = 0
  for (const [index, value] of a.entries()) sum += value * (b[index] ?? 0)
  return sum
}
