import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

// Below the numbers that systems give to outgoing connections (from 32768 on Linux, 49152 elsewhere): nobody else's connection
// can sit on a port while its server is down. A node of a Redis Cluster takes the number 10,000 above as well.
const first = 10_000
const count = 10_000

/**
 * A free port of 127.0.0.1 for a server that is started, stopped and started again at it. No other process that asks here
 * gets the same one until this process ends, so that whoever still knows the port of a stopped server finds nobody there.
 */
export async function claimPort(): Promise<number> {
  for (let attempt = 0; attempt < 1000; attempt += 1) {
    const port = first + Math.floor(Math.random() * count)
    if (!(await claims(port))) continue
    if ((await isFree(port)) && (await isFree(port + 10_000))) return port
  }
  throw new Error(`No port between ${first} and ${first + count - 1} is free.`)
}

/** The UDP port of the same number stands for the claim: the system ends it with the process, however that ends. */
async function claims(port: number): Promise<boolean> {
  const socket = createSocket('udp4').unref()
  try {
    socket.bind({ port, address: '127.0.0.1' })
    await once(socket, 'listening')
    return true
  } catch {
    socket.close()
    return false
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}
