import { GatewayError } from '../errors.ts'
import type { JsonBody } from '../http/request-body.ts'
import type { Operation } from '../http/routes.ts'

/** What the caller wants, as far as routing and money are concerned. The content stays in `body`, unread. */
export interface InferenceCall {
  readonly operation: Operation
  /** Canonical id, without its suffix: `openai/gpt-oss-120b`. */
  readonly model: string
  readonly selector: Selector
  /** As a provider of this operation understands it. */
  readonly body: JsonBody
  /** What the caller sent, where that was another dialect. */
  readonly translatedFrom?: JsonBody
  /** What that dialect calls it, where it has more words than there are operations. */
  readonly task?: string
  readonly isStreaming: boolean
  /** Whether the caller asked for usage in the stream. */
  readonly wantsUsage: boolean
  /** The caller's bound on output tokens of one choice; `undefined` when there is none. */
  readonly outputTokensMax: number | undefined
  /** Answers to one prompt, or images: everything output-like is produced this many times. */
  readonly choices: number
  /** Separate inputs, for embeddings. */
  readonly inputs: number
  /** An upper bound on prompt tokens from the text: no tokenizer makes more tokens than UTF-8 bytes. */
  readonly inputTokensMax: number
  /** Images in the prompt, whose tokens do not follow from their bytes. */
  readonly inputImages: number
  /** Pieces of audio in the prompt, whose tokens have a price of their own. `undefined` when nobody looked. */
  readonly inputAudios?: number
  /** The service tier the caller asks for, where it is another one than that of the list price. */
  readonly serviceTier?: string
  /** Characters that are spoken, for speech. */
  readonly characters?: number
  /** How long the audio of its file plays, in seconds as decimal text, where the file itself says so beyond doubt. */
  readonly audioSeconds?: string
  /** For images: pixels of one image and denoising steps. */
  readonly image: { readonly width: number; readonly height: number; readonly steps: number } | undefined
}

/** A call that is answered once and whole, with what its operation has besides. */
export function wholeCall(
  operation: Operation,
  body: JsonBody,
  { model, selector }: Pick<InferenceCall, 'model' | 'selector'>,
  more: Partial<InferenceCall>,
): InferenceCall {
  return {
    operation,
    model,
    selector,
    body,
    isStreaming: false,
    wantsUsage: false,
    outputTokensMax: undefined,
    choices: 1,
    inputs: 1,
    inputTokensMax: body.byteLength,
    inputImages: 0,
    inputAudios: 0,
    image: undefined,
    ...more,
  }
}

/** How targets are chosen: as the gateway sees fit, by a policy, or pinned to one provider. */
export type Selector =
  | { readonly kind: 'default' }
  | { readonly kind: 'policy'; readonly policy: PolicyName }
  | { readonly kind: 'provider'; readonly providerId: string }

export type PolicyName = 'fastest' | 'cheapest' | 'preferred'

const policyNames: readonly string[] = ['fastest', 'cheapest', 'preferred'] satisfies PolicyName[]

/**
 * Splits `org/model:suffix` into model and selector. Without a suffix the gateway's own policy decides. Whether a provider of
 * that name exists is for the catalog to say.
 *
 * @throws GatewayError `invalid_request` when there is no model, or a URL or placeholder stands in for it.
 */
export function parseModel(value: unknown): { readonly model: string; readonly selector: Selector } {
  if (typeof value !== 'string' || value === '' || value === 'dummy' || /^https?:\/\//.test(value)) {
    throw new GatewayError('invalid_request', 'You must name a model, such as "openai/gpt-oss-120b".', {
      param: 'model',
    })
  }
  if (value.length > 256)
    throw new GatewayError('invalid_request', 'The model name is too long.', { param: 'model' })
  const colon = value.lastIndexOf(':')
  if (colon === -1) return { model: value, selector: { kind: 'default' } }
  const model = value.slice(0, colon)
  const suffix = value.slice(colon + 1)
  if (model === '' || suffix === '') {
    throw new GatewayError(
      'invalid_model_suffix',
      `"${value}" needs a model before and a suffix behind the colon.`,
      {
        param: 'model',
      },
    )
  }
  return {
    model,
    selector: policyNames.includes(suffix)
      ? { kind: 'policy', policy: suffix as PolicyName }
      : { kind: 'provider', providerId: suffix },
  }
}
