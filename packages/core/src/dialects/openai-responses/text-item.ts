type Json = Readonly<Record<string, unknown>>

/** Tells of one step: the name of its event, and what it holds besides `type` and `sequence_number`. */
export type Tell = (type: string, members: Json) => void

export type ItemStatus = 'in_progress' | 'completed' | 'incomplete'

/** Where an item is, and who hears of it. */
export interface Place {
  readonly id: string
  readonly index: number
  readonly tell: Tell
}

/** An item of the output, as it is written. */
export interface OutputItem {
  /** Ends what of it is under way. May be called again. */
  close(): void
  /** What is there so far. */
  show(status: ItemStatus): Json
}

export interface TextItem extends OutputItem {
  readonly type: 'message' | 'reasoning'
  write(type: PartType, text: string, logprobs: readonly unknown[]): void
}

export type PartType = 'output_text' | 'refusal' | 'reasoning_text'

interface Part {
  readonly type: PartType
  text: string
  readonly logprobs: unknown[]
}

/** What an assistant says, or thinks: parts, one after another. */
export function textItem(type: TextItem['type'], { id, index, tell }: Place): TextItem {
  const parts: Part[] = []
  let open: Part | undefined
  const here = () => ({ item_id: id, output_index: index, content_index: parts.length - 1 })

  function close(): void {
    if (open === undefined) return
    tell(`response.${open.type}.done`, { ...here(), ...wholeOf(open) })
    tell('response.content_part.done', { ...here(), part: showPart(open) })
    open = undefined
  }

  return {
    type,
    write(partType, text, logprobs) {
      if (open?.type !== partType) {
        close()
        open = { type: partType, text: '', logprobs: [] }
        parts.push(open)
        tell('response.content_part.added', { ...here(), part: showPart(open) })
      }
      open.text += text
      for (const logprob of logprobs) open.logprobs.push(logprob)
      const delta = { ...here(), delta: text }
      tell(`response.${partType}.delta`, partType === 'output_text' ? { ...delta, logprobs } : delta)
    },
    close,
    show(status) {
      const content = parts.map(showPart)
      return type === 'message'
        ? { id, type, status, role: 'assistant', content }
        : { id, type, status, summary: [], content, encrypted_content: null }
    },
  }
}

function showPart({ type, text, logprobs }: Part): Json {
  if (type === 'output_text') return { type, text, annotations: [], logprobs: [...logprobs] }
  return type === 'refusal' ? { type, refusal: text } : { type, text }
}

/** The whole of a part, in the event that ends it. */
function wholeOf({ type, text, logprobs }: Part): Json {
  if (type === 'output_text') return { text, logprobs }
  return type === 'refusal' ? { refusal: text } : { text }
}
