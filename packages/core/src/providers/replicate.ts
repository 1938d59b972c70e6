import { z } from 'zod'
import type { Target } from '../catalog/target.ts'
import type { InferenceCall } from '../dialects/inference-call.ts'
import { isPriceFor } from '../price.ts'
import { count, measure, type Quantities } from '../usage.ts'
import { costLookupOf } from './cost-lookup.ts'
import { hidingOf } from './hidden-key.ts'
import type { ProviderOptions } from './openai-compatible.ts'
import type {
  EncodeContext,
  FollowUp,
  Provider,
  UpstreamAnswer,
  UpstreamRequest,
  Verdict,
} from './provider.ts'
import { baseOf, checkKey } from './settings.ts'

/** What the official JavaScript client waits between polls (replicate-javascript, 2025-12). */
const pollDelayMs = 500

/** How long Replicate is asked to keep the first request open: at most 60 seconds are allowed. */
const waitSeconds = 55

const prediction = z.looseObject({
  id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  status: z.string(),
  output: z.unknown(),
  error: z.unknown(),
  created_at: z.string().nullish(),
  metrics: z.looseObject({}).nullish(),
})

type Prediction = z.infer<typeof prediction>

const terminal: readonly string[] = ['succeeded', 'failed', 'canceled', 'aborted']

/**
 * Replicate: a prediction is created, polled until it is over, and billed from its final metrics, by output or by compute
 * second. Answers are turned into OpenAI's shapes; a streamed chat comes as one piece, because token counts are only
 * known at the end.
 */
export function replicate(options: ProviderOptions = {}): Provider {
  const base = baseOf(options.baseUrl ?? 'https://api.replicate.com/v1', 'replicate: baseUrl')
  checkKey(options.apiKey, 'replicate: apiKey')
  const auth = options.apiKey === undefined ? {} : { authorization: `Bearer ${options.apiKey}` }
  const headers = { ...auth, accept: 'application/json', 'content-type': 'application/json' }
  const provider: Provider = {
    id: 'replicate',
    operations: new Set(['chat', 'images']),
    refuses: (call) => refuses(call),
    encode: (call, context) => encode(call, context, base, headers),
    usage: (reply) => usage(reply),
    classify,
    follow: (answer) => follow(answer, base, headers),
    decode,
    cancel: (answer) => cancel(answer, base, headers),
    ...hidingOf(options.apiKey),
    withKey: (apiKey) => replicate({ ...options, apiKey }),
  }
  const costs = costLookupOf('replicate', options, headers)
  return costs === undefined ? provider : { ...provider, costs }
}

function refuses(call: InferenceCall): string | undefined {
  const { value } = call.body
  if (value['response_format'] === 'b64_json') return 'it returns images as URLs only'
  if (call.operation !== 'chat') return undefined
  if (Array.isArray(value['tools']) && value['tools'].length > 0)
    return 'its language models do not call tools'
  if (call.choices > 1) return 'it gives one answer at a time'
  if (call.inputImages > 0) return 'its language models do not see images'
  return undefined
}

function encode(
  call: InferenceCall,
  { target, attemptId, outputTokens }: EncodeContext,
  base: string,
  headers: Readonly<Record<string, string>>,
): UpstreamRequest {
  const [path, version] = target.providerModel.split(':')
  const input = call.operation === 'images' ? imageInput(call, target) : chatInput(call, outputTokens)
  const deadline = target.limits.computeSeconds
  return {
    method: 'POST',
    url: new URL(version === undefined ? `models/${path}/predictions` : 'predictions', base),
    headers: {
      ...headers,
      'x-request-id': attemptId,
      prefer: `wait=${waitSeconds}`,
      ...(deadline === undefined ? {} : { 'cancel-after': `${deadline}s` }),
    },
    body: JSON.stringify(version === undefined ? { input } : { version, input }),
  }
}

function imageInput(call: InferenceCall, target: Target): Readonly<Record<string, unknown>> {
  const { width, height } = call.image ?? { width: 1024, height: 1024 }
  const size = isPriceFor(target.price, 'compute')
    ? { width, height }
    : { aspect_ratio: aspectRatio(width, height) }
  const { prompt, seed } = call.body.value
  return { prompt, num_outputs: call.choices, ...size, ...(typeof seed === 'number' ? { seed } : {}) }
}

/** The nearest of the ratios that image models on Replicate offer. */
function aspectRatio(width: number, height: number): string {
  const offered = ['1:1', '16:9', '21:9', '3:2', '2:3', '4:5', '5:4', '3:4', '4:3', '9:16', '9:21']
  const distance = (ratio: string) => {
    const [across = 1, down = 1] = ratio.split(':').map(Number)
    return Math.abs(Math.log((width / height) * (down / across)))
  }
  return offered.toSorted((a, b) => distance(a) - distance(b))[0] ?? '1:1'
}

/** Language models take one prompt: earlier turns are joined as text marked with their role. */
function chatInput(call: InferenceCall, outputTokens: number | undefined): Readonly<Record<string, unknown>> {
  const { messages, temperature, top_p: topP, seed } = call.body.value as Record<string, unknown>
  const turns = (messages as { role?: unknown; content?: unknown }[]).map(({ role, content }) => ({
    role: String(role),
    text: textOf(content),
  }))
  const system = turns.filter(({ role }) => role === 'system' || role === 'developer').map(({ text }) => text)
  const talk = turns.filter(({ role }) => role !== 'system' && role !== 'developer')
  const prompt =
    talk.length === 1
      ? (talk[0]?.text ?? '')
      : `${talk.map(({ role, text }) => `${role}: ${text}`).join('\n')}\nassistant:`
  return {
    prompt,
    ...(system.length === 0 ? {} : { system_prompt: system.join('\n') }),
    ...(outputTokens === undefined ? {} : { max_tokens: outputTokens }),
    ...(typeof temperature === 'number' ? { temperature } : {}),
    ...(typeof topP === 'number' ? { top_p: topP } : {}),
    ...(typeof seed === 'number' ? { seed } : {}),
  }
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content
    .map((part: { text?: unknown } | null) => (typeof part?.text === 'string' ? part.text : ''))
    .join('')
}

function read(body: unknown): Prediction | undefined {
  return prediction.safeParse(body).data
}

/** Polls by id, never by the URL in the answer: requests go to the configured address only. */
function follow(
  answer: UpstreamAnswer,
  base: string,
  headers: Readonly<Record<string, string>>,
): FollowUp | undefined {
  const job = read(answer.body)
  if (job === undefined || terminal.includes(job.status)) return undefined
  return {
    request: { method: 'GET', url: new URL(`predictions/${job.id}`, base), headers },
    delayMs: pollDelayMs,
  }
}

function cancel(
  answer: UpstreamAnswer,
  base: string,
  headers: Readonly<Record<string, string>>,
): UpstreamRequest | undefined {
  const job = read(answer.body)
  if (job === undefined || terminal.includes(job.status)) return undefined
  return { method: 'POST', url: new URL(`predictions/${job.id}/cancel`, base), headers }
}

/** Metrics exist once a prediction is over. Failed jobs of time-priced models are billed for the time they ran. */
function usage(reply: unknown): Quantities | undefined {
  const job = read(reply)
  if (job === undefined || !terminal.includes(job.status) || job.metrics == null) return undefined
  const seconds = measure(job.metrics['predict_time'])
  const images = count(job.metrics['image_count']) ?? count(job.metrics['image_output_count'])
  const outputs = job.status === 'succeeded' ? BigInt(outputList(job.output).length) : 0n
  const inputTokens = count(job.metrics['input_token_count'])
  const outputTokens = count(job.metrics['output_token_count'])
  return {
    ...(seconds === undefined ? {} : { compute_second: seconds }),
    output_image: images ?? outputs,
    ...(inputTokens === undefined ? {} : { input_token: inputTokens }),
    ...(outputTokens === undefined ? {} : { output_token: outputTokens }),
  }
}

/** Problem-style errors, or a prediction that did not succeed. */
function classify(status: number, body: unknown): Verdict {
  const job = status < 400 ? read(body) : undefined
  if (job !== undefined) {
    const message = typeof job.error === 'string' ? job.error : `The job was ${job.status}.`
    return { action: /flagged as sensitive|E005/i.test(message) ? 'fatal' : 'fallback', message }
  }
  const detail = (body as { detail?: unknown } | null | undefined)?.detail
  const message = typeof detail === 'string' ? detail.trim() : undefined
  return { action: status === 400 || status === 422 ? 'fatal' : 'fallback', message }
}

function decode(answer: UpstreamAnswer, call: InferenceCall, target: Target): Buffer {
  const job = read(answer.body)
  const outputs = outputList(job?.output)
  const created = Math.floor(Date.parse(job?.created_at ?? '') / 1000) || 0
  if (call.operation === 'images') return json({ created, data: outputs.map((url) => ({ url })) })
  const content = outputs.join('')
  const metrics = job?.metrics ?? {}
  const prompt = Number(metrics['input_token_count'] ?? 0)
  const completion = Number(metrics['output_token_count'] ?? 0)
  const usage = { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion }
  const isCut = call.outputTokensMax !== undefined && completion >= call.outputTokensMax
  const finish = isCut ? 'length' : 'stop'
  const common = { id: `chatcmpl-${job?.id ?? ''}`, created, model: target.providerModel }
  if (!call.isStreaming) {
    const choice = {
      index: 0,
      message: { role: 'assistant', content, refusal: null },
      logprobs: null,
      finish_reason: finish,
    }
    return json({ ...common, object: 'chat.completion', choices: [choice], usage })
  }
  const chunk = (delta: object, reason: string | null) => ({
    ...common,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, logprobs: null, finish_reason: reason }],
  })
  const events = [
    chunk({ role: 'assistant', content }, null),
    chunk({}, finish),
    { ...common, object: 'chat.completion.chunk', choices: [], usage },
  ]
  return Buffer.from(
    `${events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')}data: [DONE]\n\n`,
  )
}

/** Output is one piece or a list of pieces: texts to join, or URLs. */
function outputList(output: unknown): readonly string[] {
  if (typeof output === 'string') return [output]
  return Array.isArray(output) ? output.filter((piece) => typeof piece === 'string') : []
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}
