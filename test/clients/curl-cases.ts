import assert from 'node:assert/strict'
import { gzipSync } from 'node:zlib'
import { eventually } from '@farebox/testkit/adapter'
import { type ClientCase, type ClientSubject, chatModel, imageModel } from './client.ts'
import { type CurlRun, curl, startCurl } from './curl-program.ts'

const hello = body({ content: 'Hello!' })

/** What the real `curl` must be able to do with any server that mounts the gateway. */
export const curlCases: readonly ClientCase[] = [
  {
    name: 'a plain -d gets JSON, although its content type says that it is a form',
    async run(subject) {
      const run = await curl(['-v', ...keyOf(subject), '-d', hello, chatUrl(subject)])
      assert.match(run.err, /^> Content-Type: application\/x-www-form-urlencoded/m)
      assert.match(run.err, /^< content-type: application\/json/im)
      assert.match(run.err, /^< x-farebox-cost: 0\.\d+/im)
      assert.match(textOf(run), /^Simulated answer:/)
    },
  },
  {
    name: 'a body is taken as JSON whatever type it is sent with',
    async run(subject) {
      for (const type of ['application/json', 'text/plain', 'application/octet-stream', '']) {
        const header = ['-H', type === '' ? 'Content-Type:' : `Content-Type: ${type}`]
        const run = await curl([...header, ...keyOf(subject), '--data-binary', '@-', chatUrl(subject)], hello)
        assert.match(textOf(run), /^Simulated answer:/, type)
      }
    },
  },
  {
    name: 'a form that is no JSON is refused in words that help',
    async run(subject) {
      const form = ['-F', `model=${chatModel}`, '-F', 'prompt=Hello!']
      const { status, error } = refusalOf(await curl([...shown(subject), ...form, chatUrl(subject)]))
      assert.equal(status, 400)
      assert.equal(error.code, 'invalid_json')
      assert.match(error.message ?? '', /not valid JSON/)
    },
  },
  {
    name: 'a packed body is unpacked',
    async run(subject) {
      const packed = ['-H', 'Content-Encoding: gzip', '--data-binary', '@-']
      const run = await curl([...keyOf(subject), ...packed, chatUrl(subject)], gzipSync(hello))
      assert.match(textOf(run), /^Simulated answer:/)
    },
  },
  {
    name: '-N shows each event as soon as it is there, and leaving ends the charge',
    async run(subject) {
      // The provider falls silent after three pieces: what is shown now was not held back for more to come.
      subject.simulator.script('cerebras', [{ kind: 'stall', afterChunks: 3 }])
      const asked = body({ model: `${chatModel}:cerebras`, stream: true, content: 'say 9 tokens' })
      const run = startCurl(['-N', ...keyOf(subject), '-d', asked, chatUrl(subject)])
      const pieces = () => run.out().match(/"content":"[^"]/g)?.length ?? 0
      await eventually('three pieces are shown', () => pieces() === 3)
      run.stop()
      assert.notEqual((await run.ended).exitCode, 0)
      await subject.simulator.idle()
      assert.equal(subject.simulator.served.at(-1)?.outcome, 'aborted')
    },
  },
  {
    name: 'a stream ends with [DONE] and may be kept from no cache or proxy',
    async run(subject) {
      const run = await curl(['-v', '-N', ...keyOf(subject), '-d', body({ stream: true }), chatUrl(subject)])
      assert.match(run.err, /^< content-type: text\/event-stream/im)
      assert.match(run.err, /^< cache-control: .*no-cache/im)
      assert.match(run.err, /^< x-accel-buffering: no/im)
      assert.equal(run.exitCode, 0)
      assert.ok(run.out.endsWith('data: [DONE]\n\n'))
    },
  },
  {
    name: 'a stream comes whole over HTTP/1.0, which knows no chunks',
    async run(subject) {
      const run = await curl(['-0', '-N', ...keyOf(subject), '-d', body({ stream: true }), chatUrl(subject)])
      assert.equal(run.exitCode, 0, run.err)
      assert.ok(run.out.endsWith('data: [DONE]\n\n'))
    },
  },
  {
    name: 'a body of more than a megabyte waits for 100 Continue, and gets it',
    async run(subject) {
      const large = withImage(1_200_000)
      const run = await curl(['-v', ...keyOf(subject), '-d', '@-', chatUrl(subject)], large)
      assert.match(run.err, /^> Expect: 100-continue/m)
      assert.match(run.err, /^< HTTP\/1\.1 100 Continue/m)
      assert.match(textOf(run), /^Simulated answer:/)
    },
  },
  {
    name: 'a large body with a wrong key is answered 401, whether it is waited for or not',
    async run(subject) {
      const wrong = { ...subject, apiKey: 'wrong' }
      for (const expect of [[], ['-H', 'Expect:']]) {
        const args = [...shown(wrong), ...expect, '-d', '@-', chatUrl(subject)]
        const run = await curl(args, withImage(5_000_000))
        assert.equal(run.exitCode, 0, run.err)
        assert.equal(refusalOf(run).status, 401)
      }
    },
  },
  {
    name: 'a body beyond the limit is answered 413 with the limit',
    async run(subject) {
      const run = await curl([...shown(subject), '-d', '@-', chatUrl(subject)], withImage(21 * 1024 * 1024))
      assert.equal(run.exitCode, 0, run.err)
      const { status, error } = refusalOf(run)
      assert.equal(status, 413)
      assert.equal(error.code, 'request_too_large')
    },
  },
  {
    name: '--fail ends with 22 where something was refused, and with 0 where not',
    async run(subject) {
      const { emptyKey } = subject
      const exitCode = async (args: readonly string[]) => (await curl(['--fail', ...args])).exitCode
      const wrong = { ...subject, apiKey: 'wrong' }
      const empty = { ...subject, apiKey: emptyKey }
      assert.equal(await exitCode([...keyOf(subject), '-d', hello, chatUrl(subject)]), 0)
      assert.equal(await exitCode([...keyOf(wrong), '-d', hello, chatUrl(subject)]), 22)
      assert.equal(await exitCode([...keyOf(empty), '-d', hello, chatUrl(subject)]), 22)
      assert.equal(await exitCode([...keyOf(subject), '-d', '{}', chatUrl(subject)]), 22)
    },
  },
  {
    name: 'GET of the models checks a key, in either header',
    async run(subject) {
      const url = `${subject.baseUrl}/models`
      const status = async (...headers: readonly string[]) =>
        statusOf(await curl([...headers.flatMap((header) => ['-H', header]), '-w', '\n%{http_code}', url]))
      assert.equal(await status(`Authorization: Bearer ${subject.apiKey}`), 200)
      assert.equal(await status('Authorization: Bearer wrong'), 401)
      assert.equal(await status('x-api-key: wrong'), 401)
      // The list itself is public.
      assert.equal(await status(), 200)
    },
  },
  {
    name: 'HEAD gets the head and nothing else',
    async run(subject) {
      const head = async (key: string) =>
        (await curl(['-I', '-H', `Authorization: Bearer ${key}`, `${subject.baseUrl}/models`])).out
      assert.match(await head(subject.apiKey), /^HTTP\/1\.1 200 OK\r\n(.+\r\n)+\r\n$/)
      assert.match(await head('wrong'), /^HTTP\/1\.1 401 Unauthorized\r\n(.+\r\n)+\r\n$/)
      const { out } = await curl(['-I', ...keyOf(subject), chatUrl(subject)])
      assert.match(out, /^HTTP\/1\.1 405 Method Not Allowed\r\n(.+\r\n)*allow: POST\r\n/i)
    },
  },
  {
    name: 'OPTIONS is answered by the host, as browsers ask before they send a key',
    async run(subject) {
      const preflight = ['Origin: https://app.example', 'Access-Control-Request-Method: POST']
      const headers = preflight.flatMap((header) => ['-H', header])
      const { exitCode, out } = await curl(['-i', '-X', 'OPTIONS', ...headers, chatUrl(subject)])
      assert.equal(exitCode, 0)
      // The quickstart has no CORS and knows no such path.
      assert.match(out, /^HTTP\/1\.1 (204 |404 )/)
      assert.doesNotMatch(out, /x-error-code/i)
    },
  },
  {
    name: 'a wrong method and a wrong path are told apart',
    async run(subject) {
      const get = refusalOf(await curl([...shown(subject), chatUrl(subject)]))
      assert.equal(get.status, 405)
      assert.equal(get.error.code, 'method_not_allowed')
      const run = await curl([...shown(subject), `${subject.baseUrl}/no-such-path`])
      assert.equal(statusOf(run), 404)
    },
  },
  {
    name: 'a path with a doubled or a trailing slash and a query is the same path',
    async run(subject) {
      const doubled = subject.baseUrl.replace(/\/v1$/, '//v1')
      for (const url of [
        `${doubled}/chat/completions`,
        `${chatUrl(subject)}/`,
        `${chatUrl(subject)}?beta=true`,
      ]) {
        assert.match(textOf(await curl([...keyOf(subject), '-d', hello, url])), /^Simulated answer:/, url)
      }
    },
  },
  {
    name: 'an image is made, and its address gives it',
    async run(subject) {
      const asked = JSON.stringify({ model: `${imageModel}:replicate`, prompt: 'a lighthouse' })
      const run = await curl([...keyOf(subject), '-d', asked, `${subject.baseUrl}/images/generations`])
      const { data } = JSON.parse(run.out) as { readonly data: readonly { readonly url: string }[] }
      const image = await curl(['-w', '%{content_type}', '-o', '/dev/null', data[0]?.url ?? ''])
      assert.equal(image.out, 'image/png')
    },
  },
]

function body({
  model = chatModel,
  stream = false,
  content = 'Say something, please.',
}: {
  readonly model?: string
  readonly stream?: boolean
  readonly content?: string
}): string {
  return JSON.stringify({ model, stream, messages: [{ role: 'user', content }] })
}

/** A question whose size is that of a picture, which is not counted by its bytes. */
function withImage(bytes: number): string {
  const url = `data:image/png;base64,${'A'.repeat(bytes)}`
  const content = [
    { type: 'text', text: 'What is this?' },
    { type: 'image_url', image_url: { url } },
  ]
  return JSON.stringify({ model: chatModel, max_tokens: 20, messages: [{ role: 'user', content }] })
}

function chatUrl({ baseUrl }: ClientSubject): string {
  return `${baseUrl}/chat/completions`
}

function keyOf({ apiKey }: Pick<ClientSubject, 'apiKey'>): readonly string[] {
  return ['-H', `Authorization: Bearer ${apiKey}`]
}

/** With the status in the last line. */
function shown(subject: ClientSubject): readonly string[] {
  return [...keyOf(subject), '-w', '\n%{http_code}']
}

function statusOf({ out }: CurlRun): number {
  return Number(out.slice(out.lastIndexOf('\n') + 1))
}

function refusalOf(run: CurlRun): {
  readonly status: number
  readonly error: { readonly message?: string; readonly code?: string }
} {
  return { status: statusOf(run), ...JSON.parse(run.out.slice(0, run.out.lastIndexOf('\n'))) }
}

function textOf({ exitCode, out, err }: CurlRun): string {
  assert.equal(exitCode, 0, err)
  return JSON.parse(out).choices[0].message.content
}
