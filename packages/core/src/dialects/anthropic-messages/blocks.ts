import { GatewayError } from '../../errors.ts'
import { encodeNamedEvent, keptCharactersMax } from '../translated-stream.ts'

/** A piece of a tool call: the first has the id and the name. */
export interface ToolPiece {
  readonly index: number | undefined
  readonly id: string
  readonly name: string
  readonly arguments: string
}

/** Writes the content of a message as blocks, one behind the other. Each method gives the events to send. */
export interface Blocks {
  readonly hasTools: boolean
  thinking(piece: string): string
  text(piece: string): string
  tool(piece: ToolPiece): string
  /** Ends what is open. */
  end(): string
}

type Kind = 'thinking' | 'text' | 'tool_use'

interface Block {
  readonly kind: Kind
  readonly opening: object
  readonly index: number | undefined
  readonly id: string
  /** Of a tool call all of its arguments; of another block what is not written yet. */
  text: string
  isOver: boolean
}

/**
 * Only one block is open at a time, because clients take every piece for one of the last block. A provider that writes two tool
 * calls at once has the second kept back until the first is whole.
 *
 * Its methods throw GatewayError `provider_failed` when more has to be kept than any answer holds.
 */
export function createBlocks(nameTool: (id: string, position: number) => string): Blocks {
  /** The first is open, the others wait. */
  const queue: Block[] = []
  const tools: Block[] = []
  let place = -1
  let kept = 0

  function open(kind: Kind, opening: object, tool?: Pick<ToolPiece, 'index' | 'id'>): Block {
    const block = { kind, opening, index: tool?.index, id: tool?.id ?? '', text: '', isOver: false }
    queue.push(block)
    return block
  }

  /** Writes what a new piece of a block allows to be written. */
  function add(block: Block, piece: string, isNew: boolean): string {
    let events = ''
    const isOpen = queue[0] === block
    if (isOpen && isNew) events += start(block)
    if (block.kind === 'tool_use' || !isOpen) keep(block, piece)
    if (isOpen && piece !== '') events += delta(block, piece)
    while (queue.length > 1 && isWhole(queue[0])) events += next()
    return events
  }

  /** Tool calls are kept, and what waits behind one. */
  function keep(block: Block, piece: string): void {
    block.text += piece
    kept += piece.length
    if (kept > keptCharactersMax)
      throw new GatewayError('provider_failed', 'The answer is too long to be streamed.')
  }

  function next(): string {
    let events = ''
    const ended = queue.shift()
    if (ended !== undefined) events += stop(ended)
    const [block] = queue
    if (block === undefined) return events
    events += start(block)
    return block.text === '' ? events : events + delta(block, block.text)
  }

  function start(block: Block): string {
    place += 1
    return event('content_block_start', { index: place, content_block: block.opening })
  }

  function stop(block: Block): string {
    block.isOver = true
    kept -= block.text.length
    block.text = ''
    return event('content_block_stop', { index: place })
  }

  function delta(block: Block, piece: string): string {
    return event('content_block_delta', { index: place, delta: deltaOf(block.kind, piece) })
  }

  function spoken(kind: 'thinking' | 'text', opening: object, piece: string): string {
    const last = queue.at(-1)
    return last?.kind === kind ? add(last, piece, false) : add(open(kind, opening), piece, true)
  }

  /** Pieces name their call by its id, or by its place, or not at all; some servers give every call the same place. */
  function callOf({ id, index }: ToolPiece): Block | undefined {
    if (id !== '') return tools.findLast((tool) => tool.id === id)
    return index === undefined ? tools.at(-1) : tools.findLast((tool) => tool.index === index)
  }

  return {
    get hasTools() {
      return tools.length > 0
    },
    thinking: (piece) => spoken('thinking', { type: 'thinking', thinking: '', signature: '' }, piece),
    text: (piece) => spoken('text', { type: 'text', text: '', citations: null }, piece),
    tool(piece) {
      const known = callOf(piece)
      // Behind arguments that were whole nothing is meant.
      if (known !== undefined) return known.isOver ? '' : add(known, piece.arguments, false)
      const id = nameTool(piece.id, tools.length)
      const opening = { type: 'tool_use', id, name: piece.name, input: {} }
      const block = open('tool_use', opening, piece)
      tools.push(block)
      return add(block, piece.arguments, true)
    },
    end() {
      let events = ''
      while (queue.length > 0) events += next()
      return events
    },
  }
}

function deltaOf(kind: Kind, piece: string): object {
  if (kind === 'text') return { type: 'text_delta', text: piece }
  if (kind === 'thinking') return { type: 'thinking_delta', thinking: piece }
  return { type: 'input_json_delta', partial_json: piece }
}

/** Whether nothing more belongs to a block, now that another one has begun. */
function isWhole(block: Block | undefined): boolean {
  if (block?.kind !== 'tool_use') return true
  // The look at the last character spares the parsing of long arguments for each piece of another call.
  return block.text.trimEnd().endsWith('}') && isJson(block.text)
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function event(type: string, members: object): string {
  return encodeNamedEvent(type, { type, ...members })
}
