import { isObject, wrongMember } from '../members.ts'

type Json = Readonly<Record<string, unknown>>

/** Content as chat writes it: a text, or parts. */
export type ChatContent = string | readonly Json[]

/**
 * Content of a message in chat's words. One text stays a text, so that models that know no parts can be asked.
 *
 * @throws GatewayError `invalid_request` that names the part at fault.
 */
export function readContent(content: unknown, param: string): ChatContent {
  if (typeof content === 'string') return content
  const parts = readParts(content, param)
  const [first] = parts
  return parts.length === 1 && first !== undefined && isBareText(first) ? String(first['text']) : parts
}

/** Content where chat takes text alone; the texts of several parts are joined. */
export function readText(content: unknown, param: string, separator: string): string {
  if (typeof content === 'string') return content
  return readParts(content, param)
    .map((part, index) => {
      if (part['type'] === 'text') return String(part['text'])
      throw wrongMember(`${param}.${index}`, 'Only text is possible here.')
    })
    .join(separator)
}

/** Parts of content in chat's words. */
export function readParts(content: unknown, param: string): readonly Json[] {
  if (!Array.isArray(content)) throw wrongMember(param, `"${param}" must be a text or a list of parts.`)
  return content.map((part: unknown, index) => readPart(part, `${param}.${index}`))
}

function readPart(part: unknown, param: string): Json {
  if (!isObject(part)) throw wrongMember(param, `"${param}" must be an object.`)
  const { type } = part
  const read = typeof type === 'string' ? readers.get(type) : undefined
  if (read === undefined) throw wrongMember(param, unsupported(type))
  const translated = read(part, param)
  const breakpoint = part['prompt_cache_breakpoint']
  return isObject(breakpoint) ? { ...translated, prompt_cache_breakpoint: breakpoint } : translated
}

const readers: ReadonlyMap<string, (part: Json, param: string) => Json> = new Map([
  ['input_text', (part, param) => textPart(part, 'text', param)],
  ['output_text', (part, param) => textPart(part, 'text', param)],
  // Models that are no more than a chat template know no refusals: to them it is what the assistant said.
  ['refusal', (part, param) => textPart(part, 'refusal', param)],
  ['input_image', imagePart],
  ['input_audio', audioPart],
])

function textPart(part: Json, member: string, param: string): Json {
  const text = part[member]
  if (typeof text !== 'string')
    throw wrongMember(`${param}.${member}`, `"${param}.${member}" must be a text.`)
  return { type: 'text', text }
}

function imagePart({ image_url: url, file_id: fileId, detail }: Json, param: string): Json {
  if (typeof url === 'string') {
    // Chat knows no finer detail than high.
    const wanted = detail === 'original' ? 'high' : detail
    return { type: 'image_url', image_url: wanted == null ? { url } : { url, detail: wanted } }
  }
  if (fileId != null)
    throw wrongMember(
      `${param}.file_id`,
      'No files are kept here. Send the image as "image_url": a URL, or data.',
    )
  throw wrongMember(`${param}.image_url`, `"${param}.image_url" must be a text: a URL, or data.`)
}

function audioPart({ input_audio: audio }: Json, param: string): Json {
  if (!isObject(audio)) throw wrongMember(`${param}.input_audio`, `"${param}.input_audio" must be an object.`)
  return { type: 'input_audio', input_audio: audio }
}

function unsupported(type: unknown): string {
  // What a file holds follows from nothing in the request, so that its tokens can not be bounded.
  if (type === 'input_file') return 'Parts of type "input_file" are not supported. Send the text of the file.'
  return `Parts of type ${JSON.stringify(type) ?? 'none'} are not supported.`
}

function isBareText(part: Json): boolean {
  return part['type'] === 'text' && part['prompt_cache_breakpoint'] === undefined
}
