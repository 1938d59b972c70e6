import { jsonBodyOf } from '../../http/request-body.ts'
import { openaiEmbeddings } from '../openai-embeddings.ts'
import { wrongInputs } from './inputs.ts'
import type { Task } from './task.ts'
import { vectorsOf } from './vectors.ts'

/** Texts become vectors: one vector for a text, a list of them for a list. */
export const featureExtraction: Task = {
  name: 'feature-extraction',
  dialect: openaiEmbeddings,
  translate({ value }, model) {
    const { inputs } = value
    const areTexts =
      Array.isArray(inputs) && inputs.length > 0 && inputs.every((each) => typeof each === 'string')
    if (!areTexts && (typeof inputs !== 'string' || inputs === ''))
      throw wrongInputs('a text or a list of texts')
    return jsonBodyOf({ model, input: inputs, encoding_format: 'float' })
  },
  reply(call, reply) {
    const vectors = vectorsOf(reply)
    if (vectors === undefined) return reply
    const isOne = typeof call.translatedFrom?.value['inputs'] === 'string'
    return { ...reply, bytes: Buffer.from(JSON.stringify(isOne ? vectors[0] : vectors)) }
  },
}
