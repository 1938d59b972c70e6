import OpenAI from 'openai'
import { type Client, messages, type Question } from './client.ts'
import { codexCases } from './codex-cases.ts'
import { expectError } from './expect-error.ts'
import { openai } from './openai.ts'
import { openaiResponsesCases } from './openai-responses-cases.ts'

/** The unmodified `openai` package, in OpenAI's newer words. */
export const openaiResponses: Client = {
  name: 'openai, responses',
  repeatsWhatWasLost: true,
  ask,
  cases: [...openaiResponsesCases, ...codexCases],
  raises: {
    ...openai.raises,
    'unknown model': (error) =>
      expectError(error, OpenAI.BadRequestError, {
        status: 400,
        code: 'model_not_found',
        param: 'model',
        message: new RegExp(messages['unknown model'].source.replace('^', '^400 ')),
      }),
    'broken stream': (error) =>
      expectError(error, ResponseFailed, { code: 'server_error', message: messages['broken stream'] }),
    'error in a stream': (error) =>
      expectError(error, ResponseFailed, { code: 'server_error', message: messages['error in a stream'] }),
  },
}

/** The package raises nothing when a response fails: it hands over the event that says so. */
class ResponseFailed extends Error {
  readonly code: string | undefined

  constructor({ error }: OpenAI.Responses.Response) {
    super(error?.message)
    this.code = error?.code
  }
}

async function ask({ baseUrl, apiKey, model, isStreaming, retriesMax, headers }: Question): Promise<string> {
  const client = new OpenAI({ baseURL: baseUrl, apiKey, maxRetries: retriesMax })
  const body = { model, input: 'Say something, please.' }
  const options = headers === undefined ? {} : { headers }
  if (!isStreaming) return (await client.responses.create(body, options)).output_text
  let text = ''
  for await (const event of await client.responses.create({ ...body, stream: true }, options)) {
    if (event.type === 'response.failed') throw new ResponseFailed(event.response)
    if (event.type === 'response.output_text.delta') text += event.delta
  }
  return text
}
