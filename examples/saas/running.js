import { promisify } from 'node:util'
import { demoAccounts } from '@farebox/example-quickstart/demo.js'
import { demoSignIns } from './users.js'

/**
 * Says that the server is ready, and stops it on Ctrl-C or SIGTERM: no new requests, those under way finish, what they cost
 * is settled, and then storage is let go.
 *
 * `stopServer` stops listening and resolves when the last answer is out.
 */
export function serveUntilStopped({ product, url, stopServer }) {
  console.log(`farebox ready ${url}/ai/v1`)
  console.log(`
${product.upstream.notice}

API keys: ${demoAccounts.flatMap(({ keys }) => keys).join(', ')}
Sign-ins: ${demoSignIns.map(({ email, password }) => `${email} / ${password}`).join(', ')}

Try it:
  curl -s ${url}/ai/v1/chat/completions -H 'Authorization: Bearer hf_demo_pro' -d '{"model":"openai/gpt-oss-120b","max_tokens":100,"messages":[{"role":"user","content":"Hello!"}]}'
  TOKEN=$(curl -s ${url}/sign-in -H 'Content-Type: application/json' -d '{"email":"ada@team.example","password":"demo-ada"}')
  curl -s ${url}/credit -H "Authorization: Bearer $TOKEN"

Ctrl-C stops it; running requests finish first.`)

  let isStopping = false
  const stop = () => {
    if (!isStopping) void stopAll(product, stopServer)
    isStopping = true
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
}

/** Longer than the longest answer of most providers. Whoever is not done by then is settled by reconciliation. */
const patienceMs = 60_000

async function stopAll(product, stopServer) {
  product.log.info('stopping: waiting for running requests')
  const late = setTimeout(() => {
    product.log.error('requests are still running; leaving them to reconciliation')
    process.exit(1)
  }, patienceMs)
  await stopServer()
  await product.close()
  clearTimeout(late)
  console.log('farebox stopped')
}

/**
 * Stops a Node server: resolves when the last answer is out. A connection would stay open for a next request for as long as
 * the framework keeps it, in Fastify for more than a minute: each is closed as soon as its answer is out.
 *
 * `close` is how the framework closes it, where it has a way of its own.
 */
export async function stopListening(server, close = promisify(server.close.bind(server))) {
  const sweeping = setInterval(() => server.closeIdleConnections(), 100)
  await close()
  clearInterval(sweeping)
}
