import { firstChoice, readChat } from '../chat-answer.ts'
import type { AnswerFacts, Reply } from '../dialect.ts'
import type { InferenceCall } from '../inference-call.ts'
import { isObject } from '../members.ts'
import { endingOf, responseError } from './ending.ts'
import { createOutput } from './output.ts'
import { responseObject } from './response-object.ts'
import { toolNames } from './tools.ts'
import { responseUsage } from './usage.ts'

type Json = Readonly<Record<string, unknown>>

/** A whole chat reply as a response. */
export function responsesReply(call: InferenceCall, reply: Reply, facts: AnswerFacts): Reply {
  const show = responseObject(call, facts)
  const chat = readChat(reply)
  const choice = chat && firstChoice(chat)
  const createdAt = typeof chat?.['created'] === 'number' ? chat['created'] : 0
  const usage = responseUsage(chat?.['usage'], facts.cost)
  const written = (response: Json) => ({ ...reply, bytes: Buffer.from(JSON.stringify(response)) })
  if (choice === undefined) {
    // It was served and is paid for: an error that clients repeat would have it paid for again.
    const error = responseError({ message: 'The provider sent an answer that can not be read.' })
    return written(show({ status: 'failed', createdAt, output: [], error, usage }))
  }
  const output = createOutput({
    suffix: facts.requestId,
    toolOf: toolNames((call.translatedFrom ?? call.body).value['tools']),
    tell: () => undefined,
  })
  const { message, logprobs, finish_reason: reason } = choice
  if (isObject(message)) output.add(message, logprobs)
  const { status, incompleteReason } = endingOf(reason)
  output.end(status)
  const serviceTier = typeof chat?.['service_tier'] === 'string' ? chat['service_tier'] : undefined
  return written(show({ status, createdAt, output: output.items(), incompleteReason, serviceTier, usage }))
}
