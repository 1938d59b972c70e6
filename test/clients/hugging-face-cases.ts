import assert from 'node:assert/strict'
import { InferenceClient, InferenceClientProviderApiError } from '@huggingface/inference'
import {
  type ClientCase,
  type ClientSubject,
  chatModel,
  chatProviders,
  embeddingModel,
  imageModel,
} from './client.ts'
import { oneSecondOfSound } from './sound.ts'

const question = [{ role: 'user', content: 'Say something, please.' }]

const weather = {
  type: 'function' as const,
  function: {
    name: 'weather',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
}

/** What the unmodified `@huggingface/inference` must be able to do with any server that mounts the gateway. */
export const huggingFaceCases: readonly ClientCase[] = [
  {
    name: 'chatCompletion gives an answer with usage, by a policy and by a provider',
    async run(subject) {
      for (const suffix of ['', ':cheapest', ...chatProviders.map((name) => `:${name}`)]) {
        const told = await client(subject).chatCompletion({ model: chatModel + suffix, messages: question })
        assert.match(told.choices[0]?.message.content ?? '', /^Simulated answer:/)
        assert.ok(told.usage.total_tokens > 0)
      }
    },
  },
  {
    name: 'chatCompletionStream gives the text in pieces',
    async run(subject) {
      const pieces: string[] = []
      for await (const chunk of client(subject).chatCompletionStream({
        model: chatModel,
        messages: question,
      }))
        pieces.push(chunk.choices[0]?.delta.content ?? '')
      assert.match(pieces.join(''), /^Simulated answer:/)
      assert.ok(pieces.length > 5)
    },
  },
  {
    name: 'chatCompletion calls a tool, whole and streamed',
    async run(subject) {
      const asked = { model: chatModel, messages: question, tools: [weather] }
      const { choices } = await client(subject).chatCompletion(asked)
      const [call] = choices[0]?.message.tool_calls ?? []
      assert.equal(call?.function.name, 'weather')
      assert.equal(typeof JSON.parse(String(call?.function.arguments)).city, 'string')
      let written = ''
      for await (const chunk of client(subject).chatCompletionStream(asked))
        written += chunk.choices[0]?.delta.tool_calls?.[0]?.function.arguments ?? ''
      assert.equal(typeof JSON.parse(written).city, 'string')
    },
  },
  {
    name: 'chatCompletion without a model is told to name one',
    async run(subject) {
      await assert.rejects(client(subject).chatCompletion({ messages: question }), (error) => {
        assert.ok(error instanceof InferenceClientProviderApiError)
        assert.match(JSON.stringify(error.httpResponse.body), /You must name a model/)
        return true
      })
    },
  },
  {
    name: 'billTo names who pays, and nobody pays who has not said so',
    async run({ baseUrl, apiKey }) {
      const strange = new InferenceClient(apiKey, {
        endpointUrl: baseUrl,
        billTo: 'a-stranger',
        retry_on_error: false,
      })
      await assert.rejects(strange.chatCompletion({ model: chatModel, messages: question }), (error) => {
        assert.ok(error instanceof InferenceClientProviderApiError)
        assert.equal(error.httpResponse.status, 403)
        assert.match(JSON.stringify(error.httpResponse.body), /"payer_not_allowed"/)
        return true
      })
    },
  },
  {
    name: 'textGeneration goes on with a text',
    async run(subject) {
      const asked = { model: chatModel, inputs: 'Once', parameters: { max_new_tokens: 8 } }
      const { generated_text: text } = await client(subject).textGeneration(asked)
      assert.match(text, /^Simulated answer:/)
    },
  },
  {
    name: 'featureExtraction gives vectors, at the path of the model and at its pipeline',
    async run(subject) {
      const path = `hf-inference/models/${embeddingModel}`
      const vector = await client(subject, path).featureExtraction({ inputs: 'a' })
      assert.equal(vector.length, 1024)
      const again = await client(subject, `${path}/pipeline/feature-extraction`).featureExtraction({
        inputs: 'a',
      })
      assert.deepEqual(again, vector)
    },
  },
  {
    name: 'sentenceSimilarity tells how near sentences are',
    async run(subject) {
      const there = client(subject, `models/${embeddingModel}/pipeline/sentence-similarity`)
      const inputs = { source_sentence: 'a', sentences: ['a', 'b'] }
      const [same = 0, other = 0] = await there.sentenceSimilarity({ inputs })
      assert.ok(same > 0.999 && Math.abs(other) < 0.999)
    },
  },
  {
    name: 'textToImage gives an image',
    async run(subject) {
      const image = await client(subject, `models/${imageModel}`).textToImage({
        inputs: 'a cat',
        parameters: { width: 256, height: 256 },
      })
      assert.equal((image as unknown as Blob).type, 'image/png')
    },
  },
  {
    name: 'automaticSpeechRecognition writes down sound that comes without a type',
    async run(subject) {
      const there = client(subject, 'models/openai/whisper-large-v3')
      const { text } = await there.automaticSpeechRecognition({ data: new Blob([oneSecondOfSound]) })
      assert.match(text, /^Simulated transcript/)
    },
  },
  {
    name: 'textToSpeech speaks',
    async run(subject) {
      const sound = await client(subject, 'models/hexgrad/Kokoro-82M').textToSpeech({ inputs: 'Hello' })
      assert.match((sound as unknown as Blob).type, /^audio\//)
    },
  },
  {
    name: 'a fetch that puts the gateway in the place of the router finds each provider by its own id of the model',
    async run(subject) {
      for (const provider of chatProviders) {
        const told = await routed(subject).chatCompletion({ model: chatModel, provider, messages: question })
        assert.match(told.choices[0]?.message.content ?? '', /^Simulated answer:/)
      }
      const told = await routed(subject).chatCompletion({ model: chatModel, messages: question })
      assert.match(told.choices[0]?.message.content ?? '', /^Simulated answer:/)
    },
  },
]

/** At OpenAI's paths, or at a path of one model. */
function client({ baseUrl, apiKey }: ClientSubject, path?: string): InferenceClient {
  const endpointUrl = path === undefined ? baseUrl : `${mountOf(baseUrl)}/${path}`
  return new InferenceClient(apiKey, { endpointUrl, retry_on_error: false })
}

/** As it is at Hugging Face, but for the address. */
function routed({ baseUrl, apiKey }: ClientSubject): InferenceClient {
  return new InferenceClient(apiKey, {
    retry_on_error: false,
    fetch: (input, init) => {
      const { pathname, search } = new URL(String(input))
      return fetch(mountOf(baseUrl) + pathname + search, init)
    },
  })
}

function mountOf(baseUrl: string): string {
  return baseUrl.replace(/\/v1$/, '')
}
