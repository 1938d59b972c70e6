import { z } from 'zod'
import type { Reply } from './dialect.ts'
import { isObject } from './members.ts'
import { readReply } from './read-reply.ts'

// What a chat answers, whole and piece by piece, in the spellings that there are of it: for dialects that say it in other words.

type Json = Readonly<Record<string, unknown>>

const anyObject = z.looseObject({})

/** A whole reply of a chat, or `undefined` when it is no JSON object. */
export function readChat(reply: Reply): Json | undefined {
  return readReply<Json>(anyObject, reply)
}

/** The first answer of a reply, or of an event; there is no other, since only one is asked for. */
export function firstChoice({ choices }: Json): Json | undefined {
  const [first] = Array.isArray(choices) ? choices : []
  return isObject(first) ? first : undefined
}

/** What a model says, in a message or a piece of one: a text; some providers write parts. */
export function contentOf({ content }: Json): string {
  if (!Array.isArray(content)) return textOf(content)
  return content.map((part: unknown) => textOf(objectOf(part)['text'])).join('')
}

/** What a model thought, in the two spellings there are. */
export function reasoningOf(piece: Json): string {
  return textOf(piece['reasoning_content']) || textOf(piece['reasoning'])
}

/** Arguments of a call, or a piece of them: JSON as text; some providers write the value itself. */
export function argumentsOf(call: Json): string {
  const given = objectOf(call['function'])['arguments']
  if (typeof given === 'string') return given
  return given === undefined || given === null ? '' : JSON.stringify(given)
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

export function objectOf(value: unknown): Json {
  return isObject(value) ? value : {}
}
