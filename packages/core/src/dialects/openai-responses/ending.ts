type Json = Readonly<Record<string, unknown>>

/** How an answer ended: whole, or why not. */
export interface Ending {
  readonly status: 'completed' | 'incomplete'
  readonly incompleteReason: string | undefined
}

/** What chat's `finish_reason` means here. */
export function endingOf(finishReason: unknown): Ending {
  if (finishReason === 'length') return { status: 'incomplete', incompleteReason: 'max_output_tokens' }
  if (finishReason === 'content_filter') return { status: 'incomplete', incompleteReason: 'content_filter' }
  return { status: 'completed', incompleteReason: undefined }
}

/** Codes of errors that clients act on; all else is the server's fault (codex-rs/codex-api, openai-openapi, 2026-08). */
const toldCodes: readonly unknown[] = ['context_length_exceeded', 'rate_limit_exceeded']

/**
 * The `error` of a response that failed. Codes such as `insufficient_quota`, in a stream, are the provider's word on the
 * gateway's own account and not for the caller, who would take it for theirs.
 */
export function responseError({ message, code }: Json): Json {
  return {
    code: toldCodes.includes(code) ? code : 'server_error',
    message: typeof message === 'string' && message !== '' ? message : 'The provider failed.',
  }
}
