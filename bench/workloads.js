/**
 * What is asked of every server, by name. Sizes are of bodies, in bytes; `chunks` counts the events of a stream that carry
 * text, before the one that ends it.
 */
export const workloads = {
  small: {
    title: 'chat, 1 KB in and out, 32 connections',
    kind: 'reply',
    connections: 32,
    requestBytes: 1024,
    replyBytes: 1024,
  },
  large: {
    title: 'chat, 32 KB in and out, 32 connections',
    kind: 'reply',
    connections: 32,
    requestBytes: 32 * 1024,
    replyBytes: 32 * 1024,
  },
  burst: {
    title: 'streams of 1,000 chunks at once, 32 connections',
    kind: 'burst',
    connections: 32,
    requestBytes: 1024,
    chunks: 1000,
  },
  // 8,000 chunks a second keep a core about half busy. Faster than that, a server that falls behind reads several chunks
  // at once, and the figure would no longer be the price of a chunk that comes alone.
  paced: {
    title: 'streams of 200 chunks, one every 8 ms, 64 connections',
    kind: 'paced',
    connections: 64,
    requestBytes: 1024,
    chunks: 200,
    intervalMs: 8,
  },
  // The other chunks follow later, so that headers or a first chunk held back for more to come show up.
  ttfb: {
    title: 'streams one after the other, nothing else to do',
    kind: 'first-byte',
    connections: 1,
    requestBytes: 1024,
    chunks: 10,
    restAfterMs: 2,
  },
}

const path = '/ai/v1/chat/completions'
export const model = 'bench/model'
export const providerModel = 'bench-model'

/** Stands before the time, in microseconds, at which a paced chunk was written. */
export const timeMark = '"content":"@'

const words = 'The fare is due when the ride is over and not before, whoever holds the ticket. '
const usage = { prompt_tokens: 210, completion_tokens: 190, total_tokens: 400 }
const usageText = `,"usage":${JSON.stringify(usage)}`

/** A whole HTTP request of a client. */
export function requestBytes(workload) {
  const isStreaming = workload.kind !== 'reply'
  const body = (content) =>
    JSON.stringify({
      model,
      messages: [
        { role: 'system', content: 'You are a conductor. Answer briefly and to the point.' },
        { role: 'user', content },
      ],
      temperature: 0.7,
      max_tokens: 1024,
      ...(isStreaming ? { stream: true, stream_options: { include_usage: true } } : {}),
    })
  const text = body(filler(workload.requestBytes - body('').length))
  return Buffer.from(
    [
      `POST ${path} HTTP/1.1`,
      'host: 127.0.0.1',
      'authorization: Bearer sk-bench',
      'content-type: application/json',
      'accept: application/json, text/event-stream',
      'user-agent: farebox-bench',
      `content-length: ${text.length}`,
      '\r\n',
    ].join('\r\n') + text,
  )
}

/** A whole HTTP response of the upstream that is no stream. */
export function replyBytes(workload) {
  const body = (content) => {
    const choice = { index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }
    const reply = { id: 'chatcmpl-bench', object: 'chat.completion', created: 1, model: providerModel }
    return JSON.stringify({ ...reply, choices: [choice], usage })
  }
  const text = body(filler(workload.replyBytes - body('').length))
  return Buffer.from(`${head('application/json')}content-length: ${text.length}\r\n\r\n${text}`)
}

/** Begins a stream. */
export const streamHead = Buffer.from(`${head('text/event-stream')}transfer-encoding: chunked\r\n\r\n`)

/** One piece of text of a stream, in an HTTP chunk of its own. */
export function streamChunk(content = 'a few tokens ') {
  return httpChunk(eventText({ content }, null, ''))
}

/** Ends a stream: the event with the finish reason carries the usage. */
export const streamEnd = Buffer.concat([
  httpChunk(eventText({}, 'stop', usageText)),
  httpChunk('data: [DONE]\n\n'),
  Buffer.from('0\r\n\r\n'),
])

function eventText(delta, finishReason, rest) {
  const choices = JSON.stringify([{ index: 0, delta, finish_reason: finishReason }])
  return `data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1,"model":"${providerModel}","choices":${choices}${rest}}\n\n`
}

function httpChunk(text) {
  return Buffer.from(`${text.length.toString(16)}\r\n${text}\r\n`)
}

function head(contentType) {
  return `HTTP/1.1 200 OK\r\ncontent-type: ${contentType}\r\nx-request-id: bench\r\nconnection: keep-alive\r\n`
}

function filler(length) {
  return words.repeat(Math.ceil(length / words.length)).slice(0, Math.max(0, length))
}
