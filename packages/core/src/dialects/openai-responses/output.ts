import { argumentsOf, contentOf, objectOf, reasoningOf, textOf } from '../chat-answer.ts'
import { isObject } from '../members.ts'
import { type CallItem, callItem } from './call-item.ts'
import {
  type OutputItem,
  type PartType,
  type Place,
  type Tell,
  type TextItem,
  textItem,
} from './text-item.ts'
import type { ToolName } from './tools.ts'

type Json = Readonly<Record<string, unknown>>

/** The items of one answer, as its pieces come. */
export interface Output {
  /** A piece of the answer in chat's words: the `delta` of an event, or the whole `message`. */
  add(piece: Json, logprobs?: unknown): void
  /** Ends every item; the last one as `status` says. */
  end(status: 'completed' | 'incomplete'): void
  /** What is there so far. */
  items(): readonly Json[]
  /** Characters of it that are kept. */
  readonly length: number
}

export interface OutputOptions {
  /** What ids of items end in: unique to the answer. */
  readonly suffix: string
  /** What the caller calls the tool that a model has called. */
  readonly toolOf: (calledName: string) => ToolName
  readonly tell: Tell
}

/**
 * Sorts pieces into items. What is thought and said comes one item after another, since clients take a piece to belong to the
 * item that began last. Calls stay open until the end, because providers may write several at once.
 */
export function createOutput({ suffix, toolOf, tell }: OutputOptions): Output {
  const items: OutputItem[] = []
  const done: (Json | undefined)[] = []
  const calls = new Map<number, CallItem>()
  /** The last item, where it is a text. */
  let speaking: TextItem | undefined
  let lastCall = -1
  let length = 0

  function open<T extends OutputItem>(prefix: string, make: (place: Place) => T): T {
    if (speaking !== undefined) endItem(items.length - 1, 'completed')
    speaking = undefined
    const index = items.length
    const item = make({ id: `${prefix}_${suffix}_${index}`, index, tell })
    items.push(item)
    return item
  }

  function begin(item: OutputItem): void {
    tell('response.output_item.added', { output_index: items.length - 1, item: item.show('in_progress') })
  }

  function endItem(index: number, status: 'completed' | 'incomplete'): void {
    const item = items[index]
    if (item === undefined || done[index] !== undefined) return
    item.close()
    const shown = item.show(status)
    done[index] = shown
    tell('response.output_item.done', { output_index: index, item: shown })
  }

  function write(type: TextItem['type'], part: PartType, text: string, logprobs: readonly unknown[]): void {
    if (text === '') return
    length += text.length + (logprobs.length === 0 ? 0 : JSON.stringify(logprobs).length)
    if (speaking?.type !== type) {
      const item = open(type === 'message' ? 'msg' : 'rs', (place) => textItem(type, place))
      begin(item)
      speaking = item
    }
    speaking.write(part, text, logprobs)
  }

  function call(piece: Json, position: number): void {
    const id = textOf(piece['id'])
    const name = textOf(objectOf(piece['function'])['name'])
    const args = argumentsOf(piece)
    length += args.length
    const number = numberOf(piece['index'], id, position)
    lastCall = number
    const known = calls.get(number)
    // Some providers give all calls the same number, and each its id and name.
    const isNew = known === undefined || (id !== '' && name !== '' && id !== known.callId)
    const item = isNew ? beginCall(id, name) : known
    if (isNew) calls.set(number, item)
    item.write(args)
  }

  function beginCall(id: string, name: string): CallItem {
    const tool = toolOf(name)
    const callId = id === '' ? `call_${suffix}_${items.length}` : id
    const item = open(tool.isCustom ? 'ctc' : 'fc', (place) => callItem(place, callId, tool))
    begin(item)
    return item
  }

  /** Some providers do not number calls: an id that was not seen begins one, and what has no id goes on with the last. */
  function numberOf(told: unknown, id: string, position: number): number {
    if (typeof told === 'number') return told
    if (id === '') return Math.max(lastCall, position)
    for (const [number, { callId }] of calls) if (callId === id) return number
    return Math.max(-1, ...calls.keys()) + 1
  }

  return {
    add(piece, logprobs) {
      write('reasoning', 'reasoning_text', reasoningOf(piece), [])
      write('message', 'output_text', contentOf(piece), logprobsOf(logprobs))
      write('message', 'refusal', textOf(piece['refusal']), [])
      const asked = piece['tool_calls']
      if (!Array.isArray(asked)) return
      for (const [position, each] of asked.entries()) if (isObject(each)) call(each, position)
    },
    end(status) {
      for (const index of items.keys()) endItem(index, index === items.length - 1 ? status : 'completed')
    },
    items: () => items.map((item, index) => done[index] ?? item.show('incomplete')),
    get length() {
      return length
    },
  }
}

function logprobsOf(logprobs: unknown): readonly unknown[] {
  const { content } = objectOf(logprobs)
  return Array.isArray(content) ? content : []
}
