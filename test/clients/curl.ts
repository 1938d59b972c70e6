import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Client, messages, type Question, type Refusal } from './client.ts'
import { curlCases } from './curl-cases.ts'
import { curl } from './curl-program.ts'

/** The real `curl`, as a shell script would use it: exit code and body tell what happened. */
export const curlProgram: Client = {
  name: 'curl',
  repeatsWhatWasLost: false,
  ask,
  cases: curlCases,
  raises: {
    'wrong key': failed('wrong key', 401, 'invalid_api_key'),
    'no credit': failed('no credit', 402, 'insufficient_credits'),
    'unknown model': failed('unknown model', 404, 'model_not_found'),
    'too many requests': failed('too many requests', 429, 'rate_limit_exceeded'),
    unavailable: failed('unavailable', 503, 'store_unavailable'),
    'providers failed': failed('providers failed', 502, 'provider_failed'),
    'broken stream': brokeOff('broken stream', 'provider_failed'),
    'error in a stream': brokeOff('error in a stream', 'internal_server_error'),
  },
}

/** What a script that checks the exit code, and a stream for its last event, would stop with. */
class CurlError extends Error {
  override readonly name: string = 'CurlError'
  readonly exitCode: number | null
  readonly status: number
  readonly error: { readonly message?: unknown; readonly code?: unknown }

  constructor(exitCode: number | null, status: number, body: string, complaint: string) {
    super(`curl ended with ${exitCode}: ${complaint}`)
    this.exitCode = exitCode
    this.status = status
    this.error = errorIn(body)
  }
}

async function ask(question: Question): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'farebox-curl-'))
  // Into a file: of an attempt that is repeated nothing must be left, and what was printed can not be taken back.
  const file = join(folder, 'answer')
  try {
    const run = await curl([...argumentsOf(question), '-o', file, '-w', '%{http_code}'])
    const body = readFileSync(file, 'utf8')
    const status = Number(run.out)
    if (run.exitCode !== 0) throw new CurlError(run.exitCode, status, body, run.err)
    if (!question.isStreaming) return JSON.parse(body).choices[0].message.content
    if (!body.endsWith('data: [DONE]\n\n')) throw new CurlError(0, status, body, 'the stream broke off')
    return eventsIn(body)
      .map(({ choices }) => choices?.[0]?.delta?.content ?? '')
      .join('')
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function argumentsOf({ baseUrl, apiKey, model, isStreaming, retriesMax, headers }: Question): string[] {
  const messages = [{ role: 'user', content: 'Say something, please.' }]
  return [
    '-N',
    '--fail-with-body',
    ...['--retry', String(retriesMax)],
    // A repeat of what may have been done already is only safe with a key for it.
    ...(headers?.['Idempotency-Key'] === undefined ? [] : ['--retry-all-errors']),
    ...['-H', `Authorization: Bearer ${apiKey}`],
    ...Object.entries(headers ?? {}).flatMap(([name, value]) => ['-H', `${name}: ${value}`]),
    ...['-d', JSON.stringify({ model, messages, stream: isStreaming })],
    `${baseUrl}/chat/completions`,
  ]
}

/** `--fail-with-body` gives exit code 22, and the body has the error. */
function failed(refusal: Refusal, status: number, code: string): (error: unknown) => void {
  return (error) => {
    assert.ok(error instanceof CurlError, String(error))
    assert.equal(error.exitCode, 22, error.message)
    assert.equal(error.status, status)
    assert.match(String(error.error.message), messages[refusal])
    assert.equal(error.error.code, code)
  }
}

/** To `curl` a stream with an error at its end is whole: the exit code is 0, and `[DONE]` is missing. */
function brokeOff(refusal: Refusal, code: string): (error: unknown) => void {
  return (error) => {
    assert.ok(error instanceof CurlError, String(error))
    assert.equal(error.exitCode, 0, error.message)
    assert.equal(error.status, 200)
    assert.match(String(error.error.message), messages[refusal])
    assert.equal(error.error.code, code)
  }
}

interface Event {
  readonly choices?: readonly { readonly delta?: { readonly content?: string | null } }[]
  readonly error?: { readonly message?: unknown; readonly code?: unknown }
}

function eventsIn(stream: string): readonly Event[] {
  return stream
    .split('\n\n')
    .filter((event) => event.startsWith('data: {'))
    .map((event) => JSON.parse(event.slice('data: '.length)) as Event)
}

function errorIn(body: string): NonNullable<Event['error']> {
  if (body.startsWith('data:')) return eventsIn(body).at(-1)?.error ?? {}
  return body.startsWith('{') ? ((JSON.parse(body) as Event).error ?? {}) : {}
}
