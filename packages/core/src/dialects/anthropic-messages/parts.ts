import { objectAt, refusal, textAt } from './refusal.ts'

/** A piece of content, as chat has it. */
export type Part = TextPart | ImagePart

export interface TextPart {
  readonly type: 'text'
  readonly text: string
}

export interface ImagePart {
  readonly type: 'image_url'
  readonly image_url: { readonly url: string }
}

/** What Anthropic takes for pictures (anthropic-sdk-typescript 1.14.0). Anything else would be tokens that nobody counted. */
const imageTypes: readonly unknown[] = ['image/jpeg', 'image/png', 'image/gif', 'image/webp']

/**
 * Content that is a text or blocks, as parts of a chat message.
 *
 * @throws GatewayError `invalid_request` for what chat cannot say, and for files: nothing in the request bounds their tokens.
 */
export function partsOf(content: unknown, path: string): readonly Part[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }]
  if (!Array.isArray(content)) throw refusal(path, 'must be a text or a list of blocks.')
  return content.flatMap((block, index) =>
    partsOfBlock(objectAt(block, `${path}.${index}`), `${path}.${index}`),
  )
}

/** The parts of one block that a caller or a tool wrote. */
export function partsOfBlock(block: Readonly<Record<string, unknown>>, path: string): readonly Part[] {
  switch (block['type']) {
    case 'text':
      return [{ type: 'text', text: textAt(block['text'], `${path}.text`) }]
    case 'image':
      return [{ type: 'image_url', image_url: { url: imageUrl(block['source'], `${path}.source`) } }]
    case 'document':
      return documentParts(block, path)
    case 'search_result':
      return [heading(block['title'], block['source']), ...partsOf(block['content'], `${path}.content`)]
    default:
      throw refusal(`${path}.type`, `Blocks of type ${JSON.stringify(block['type'])} are not supported here.`)
  }
}

/** The text of content that can hold nothing else. */
export function plainText(content: unknown, path: string, separator: string): string {
  if (typeof content === 'string') return content
  const parts = partsOf(content, path)
  return parts.map((part, index) => textOf(part, `${path}.${index}`)).join(separator)
}

function textOf(part: Part, path: string): string {
  if (part.type === 'text') return part.text
  throw refusal(path, 'Only text is supported here.')
}

function imageUrl(value: unknown, path: string): string {
  const source = objectAt(value, path)
  switch (source['type']) {
    case 'base64':
      if (!imageTypes.includes(source['media_type'])) {
        throw refusal(`${path}.media_type`, `must be one of ${imageTypes.join(', ')}.`)
      }
      return `data:${source['media_type']};base64,${textAt(source['data'], `${path}.data`)}`
    case 'url':
      return textAt(source['url'], `${path}.url`)
    default:
      throw refusal(`${path}.type`, 'Images are supported as "base64" and as "url".')
  }
}

function documentParts(block: Readonly<Record<string, unknown>>, path: string): readonly Part[] {
  const source = objectAt(block['source'], `${path}.source`)
  const above = heading(block['title'], block['context'])
  switch (source['type']) {
    case 'text':
      return [above, { type: 'text', text: textAt(source['data'], `${path}.source.data`) }]
    case 'content':
      return [above, ...partsOf(source['content'], `${path}.source.content`)]
    default:
      throw refusal(
        `${path}.source.type`,
        'Documents are supported as "text" and as "content". Nothing in a request bounds what a file costs.',
      )
  }
}

/** What stands above a document, so that a model can tell it from the question. */
function heading(...lines: readonly unknown[]): TextPart {
  return { type: 'text', text: ['Document', ...lines.filter((line) => typeof line === 'string')].join('\n') }
}
