import { type Draw, valueForSchema } from './structured.ts'

export interface Tool {
  readonly name: string
  readonly parameters: unknown
}

/** Everything an answer depends on. The same question always gets the same answer. */
export interface Question {
  /** The seed together with what was asked. */
  readonly key: string
  readonly lastUserText: string
  /** What a tool said, when that is the last message: it is quoted. */
  readonly toolReply?: string | undefined
  /** The tool to call instead of answering in words. */
  readonly tool?: Tool | undefined
  /** The schema of a JSON answer; `true` for any object. */
  readonly schema?: unknown
  readonly tokensMax?: number | undefined
  /** Words with multi-byte characters. */
  readonly isNonAscii?: boolean
}

/** One choice of an answer. Each piece is one token; the first piece of a tool call is the name of the tool. */
export interface Choice {
  readonly toolCall: { readonly id: string; readonly name: string } | undefined
  readonly pieces: readonly string[]
  /** How many of the pieces were thought, before anything was said. */
  readonly thoughts: number
  readonly finishReason: 'stop' | 'length' | 'tool_calls'
}

const tokensMaxEver = 1_000_000

/**
 * The seeded answer to a question.
 *
 * In words it has 12 to 40 tokens, or exactly N when the last user message contains "say N tokens" (at most a million),
 * and is cut at `tokensMax`. `think N tokens` puts as many thoughts before it, whatever it is.
 */
export function writeChoice(question: Question, choice: number): Choice {
  const key = `${question.key}#${choice}`
  const { natural, isToolCall } = naturalPieces(question, key)
  const thoughts = thoughtPieces(question, key)
  const whole = thoughts.length === 0 ? natural : [...thoughts, ...natural]
  const tokensMax = question.tokensMax ?? whole.length
  const isCut = whole.length > tokensMax
  const finishReason = isCut ? 'length' : isToolCall ? 'tool_calls' : 'stop'
  return {
    toolCall:
      isToolCall && tokensMax > thoughts.length
        ? { id: `call_${hex(key)}`, name: natural[0] ?? '' }
        : undefined,
    pieces: isCut ? whole.slice(0, tokensMax) : whole,
    thoughts: Math.min(thoughts.length, tokensMax),
    finishReason,
  }
}

/** The piece at any place of a text that never ends. */
export function endlessPiece(question: Question, choice: number, index: number): string {
  return textPiece(`${question.key}#${choice}`, index, question.isNonAscii ?? false)
}

/** Tokens of a prompt: a quarter of its bytes in UTF-8, rounded up, at least one. */
export function countPromptTokens(texts: readonly string[]): number {
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
  return Math.max(1, Math.ceil(bytes / 4))
}

/** Draws depend on the key and on how many were drawn before. */
export function createDraw(key: string): Draw {
  const start = hash(key)
  let index = 0
  return (below) => mix(start, index++) % below
}

function naturalPieces(question: Question, key: string): { natural: readonly string[]; isToolCall: boolean } {
  if (question.tool !== undefined) {
    const { name, parameters } = question.tool
    const values = parameters === undefined ? {} : valueForSchema(parameters, createDraw(key))
    return { natural: [name, ...cut(JSON.stringify(values))], isToolCall: true }
  }
  if (question.toolReply !== undefined) {
    return {
      natural: ['Simulated', ' answer:', ' the tool said: ', ...cut(question.toolReply)],
      isToolCall: false,
    }
  }
  if (question.schema !== undefined) {
    return {
      natural: cut(JSON.stringify(valueForSchema(question.schema, createDraw(key)))),
      isToolCall: false,
    }
  }
  const length = askedFor('say', question) ?? 12 + (hash(key) % 29)
  const isNonAscii = question.isNonAscii ?? false
  return {
    natural: Array.from({ length }, (_, index) => textPiece(key, index, isNonAscii)),
    isToolCall: false,
  }
}

function thoughtPieces(question: Question, key: string): readonly string[] {
  return Array.from({ length: askedFor('think', question) ?? 0 }, (_, index) =>
    index === 0 ? 'Simulated thought:' : textPiece(`${key}:thoughts`, index + 1, false),
  )
}

function askedFor(verb: 'say' | 'think', { lastUserText }: Question): number | undefined {
  const asked = new RegExp(`${verb} (\\d{1,9}) tokens`).exec(lastUserText)?.[1]
  return asked === undefined ? undefined : Math.min(Math.max(1, Number(asked)), tokensMaxEver)
}

function textPiece(key: string, index: number, isNonAscii: boolean): string {
  if (index === 0) return 'Simulated'
  if (index === 1) return ' answer:'
  const list = isNonAscii ? nonAsciiWords : words
  return ` ${list[mix(hash(key), index) % list.length]}`
}

/** Pieces of four characters, never half a character. */
function cut(text: string): readonly string[] {
  const characters = Array.from(text)
  return Array.from({ length: Math.ceil(characters.length / 4) }, (_, index) =>
    characters.slice(index * 4, index * 4 + 4).join(''),
  )
}

function hex(key: string): string {
  return [1, 2, 3].map((salt) => mix(hash(key), salt).toString(16).padStart(8, '0')).join('')
}

/** FNV-1a over UTF-16 units, then spread; good enough to look random and the same everywhere. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193)
  return mix(value, 0)
}

function mix(seed: number, index: number): number {
  let value = (seed ^ Math.imul(index + 1, 0x9e3779b9)) >>> 0
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return (value ^ (value >>> 16)) >>> 0
}

const words: readonly string[] =
  'amber anchor apple autumn basket bridge candle carpet cedar circle clover copper cotton crystal desert dolphin drum eagle ember feather field flute forest garden ginger harbor hazel honey island ivory jasmine kettle lantern lemon linen maple marble meadow mirror morning mountain needle ocean olive orchard paper pebble pepper pigeon pocket quiet ribbon river saddle saffron silver spring stone summer thunder valley velvet violet walnut whisper willow window winter'.split(
    ' ',
  )

const nonAsciiWords: readonly string[] = [
  'café',
  'naïve',
  'Zürich',
  'smörgåsbord',
  '東京',
  'привет',
  'ελιά',
  '🙂',
  '🌊🏔️',
]
