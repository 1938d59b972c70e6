import { cachedTold, count, type Quantities } from '../usage.ts'
import { partitionTokens, type TokenConvention, type TokenCounts } from './partition.ts'

/** What a provider sends as usage: any object, or nothing. */
export type Reported = { readonly [name: string]: unknown } | null | undefined

/** OpenAI and most who speak its API: cached tokens and reasoning are inside (openai-openapi, 2026-08-21). */
export const openaiConvention: TokenConvention = { cache: 'inside', reasoning: 'by-total' }

/** Anthropic: cached tokens are beside the input, thinking is inside the output (anthropic-sdk-typescript, 2026-08). */
const anthropic: TokenConvention = { cache: 'beside', reasoning: 'inside' }

/** Gemini: cached tokens are inside the prompt, thoughts are beside the candidates (js-genai, 2026-08). */
const gemini: TokenConvention = { cache: 'inside', reasoning: 'beside' }

/**
 * Tokens of OpenAI's chat completions, embeddings, responses, images and transcriptions, and of the many variants of
 * them: cached tokens have five names. `undefined` when there is no count at all.
 */
export function openaiTokens(
  usage: Reported,
  convention: TokenConvention = openaiConvention,
): Quantities | undefined {
  if (typeof usage !== 'object' || usage === null) return undefined
  const input = count(usage['prompt_tokens']) ?? count(usage['input_tokens'])
  const output = count(usage['completion_tokens']) ?? count(usage['output_tokens'])
  if (input === undefined && output === undefined) return undefined
  const inputDetails = object(
    usage['prompt_tokens_details'] ?? usage['input_tokens_details'] ?? usage['input_token_details'],
  )
  const outputDetails = object(usage['completion_tokens_details'] ?? usage['output_tokens_details'])
  const cached = cachedTold(usage, inputDetails, count)
  // The common case, without the detour over a dozen classes.
  const isPlain = !inputDetails && !outputDetails && !cached && usage['server_tool_use_details'] === undefined
  if (isPlain && input !== undefined && output !== undefined) {
    return { input_token: input, output_token: output }
  }
  const cachedDetails = object(inputDetails?.['cached_tokens_details'])
  const tokens = partitionTokens(
    {
      input,
      output,
      total: count(usage['total_tokens']),
      cached,
      cachedAudio: count(cachedDetails?.['audio_tokens']),
      cachedImage: count(cachedDetails?.['image_tokens']),
      written: count(inputDetails?.['cache_write_tokens']),
      inputAudio: count(inputDetails?.['audio_tokens']),
      inputImage: count(inputDetails?.['image_tokens']),
      reasoning: count(outputDetails?.['reasoning_tokens']),
      outputAudio: count(outputDetails?.['audio_tokens']),
      outputImage: count(outputDetails?.['image_tokens']),
    },
    convention,
  )
  return withSearches(tokens, usage['server_tool_use_details'])
}

/** Tokens of OpenAI's images: what is written is the image, where the usage does not tell it from text. */
export function openaiImageTokens(usage: Reported): Quantities | undefined {
  const tokens = openaiTokens(usage)
  if (tokens?.output_token === undefined || object(usage?.['output_tokens_details']) !== undefined)
    return tokens
  const { output_token: written, ...rest } = tokens
  return { ...rest, output_image_token: written }
}

/**
 * Tokens of Anthropic's messages, of a reply or of the last `message_delta`. Cache writes are told apart by their time to
 * live where the provider does; otherwise they are writes of a time unknown.
 */
export function anthropicTokens(usage: Reported): Quantities | undefined {
  const input = count(usage?.['input_tokens'])
  const output = count(usage?.['output_tokens'])
  if (input === undefined && output === undefined) return undefined
  const split = object(usage?.['cache_creation'])
  const written5m = count(split?.['ephemeral_5m_input_tokens'])
  const written1h = count(split?.['ephemeral_1h_input_tokens'])
  const splitTotal = split === undefined ? undefined : (written5m ?? 0n) + (written1h ?? 0n)
  const counts: TokenCounts = {
    input,
    output,
    cached: count(usage?.['cache_read_input_tokens']),
    written: count(usage?.['cache_creation_input_tokens']) ?? splitTotal,
    written5m,
    written1h,
    reasoning: count(object(usage?.['output_tokens_details'])?.['thinking_tokens']),
  }
  return withSearches(partitionTokens(counts, anthropic), usage?.['server_tool_use'])
}

/**
 * Tokens of Gemini's `usageMetadata`. What a tool put into the prompt is input as well. Counts of zero are left out on the
 * wire, so a prompt without candidates has written nothing.
 */
export function geminiTokens(usage: Reported): Quantities | undefined {
  const prompt = count(usage?.['promptTokenCount'])
  if (prompt === undefined) return undefined
  const inputOf = modality(usage?.['promptTokensDetails'], usage?.['toolUsePromptTokensDetails'])
  const cachedOf = modality(usage?.['cacheTokensDetails'])
  const outputOf = modality(usage?.['candidatesTokensDetails'])
  return partitionTokens(
    {
      input: prompt + (count(usage?.['toolUsePromptTokenCount']) ?? 0n),
      output: count(usage?.['candidatesTokenCount']) ?? 0n,
      cached: count(usage?.['cachedContentTokenCount']),
      cachedAudio: cachedOf('AUDIO'),
      cachedImage: cachedOf('IMAGE'),
      inputAudio: inputOf('AUDIO'),
      inputImage: inputOf('IMAGE'),
      reasoning: count(usage?.['thoughtsTokenCount']),
      outputAudio: outputOf('AUDIO'),
      outputImage: outputOf('IMAGE'),
    },
    gemini,
  )
}

/** Reads Gemini's lists of `{ modality, tokenCount }`. */
function modality(...lists: readonly unknown[]): (name: string) => bigint | undefined {
  const entries = lists.flatMap((list) => (Array.isArray(list) ? list : [])).map(object)
  return (name) => {
    const counts = entries.filter((entry) => entry?.['modality'] === name)
    return counts.length === 0
      ? undefined
      : counts.reduce((sum, entry) => sum + (count(entry?.['tokenCount']) ?? 0n), 0n)
  }
}

/** Web searches come on top of tokens, where a provider made any. */
function withSearches(tokens: Quantities, toolUse: unknown): Quantities {
  if (toolUse === undefined) return tokens
  const searches = count(object(toolUse)?.['web_search_requests']) ?? 0n
  return searches === 0n ? tokens : { ...tokens, web_search_request: searches }
}

function object(value: unknown): Exclude<Reported, null> {
  return typeof value === 'object' && value !== null ? (value as Exclude<Reported, null>) : undefined
}
