import { createClient } from 'redis'

/** A client that goes on when its connection is lost. */
export async function connect(url) {
  const client = createClient({ url })
  client.on('error', () => {})
  await client.connect()
  return client
}
