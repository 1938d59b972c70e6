import { connect, createServer, type Socket } from 'node:net'

/** Stands between a client and a server and makes the way longer, or cuts it. */
export interface TcpProxy {
  readonly port: number
  /** Delays what passes from now on, each way. */
  delay(ms: number): void
  /** From now on nothing passes any more, and nobody is told. With `false` that ends, and what was swallowed from is cut. */
  swallow(isSilent: boolean): void
  /** Passes on what the client sends next, and cuts the connection before the answer. */
  cutNextAnswer(): void
  close(): Promise<void>
}

export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  const swallowed = new Set<Socket>()
  let delayMs = 0
  let isSilent = false
  let cutsAnswer = false

  const pass = (from: Socket, to: Socket, isAnswer: boolean): void => {
    from.on('data', (bytes) => {
      if (isSilent) {
        swallowed.add(from)
        return
      }
      if (isAnswer && cutsAnswer) {
        cutsAnswer = false
        from.destroy()
        to.destroy()
        return
      }
      const send = (): void => void (to.writable && to.write(bytes))
      if (delayMs > 0) setTimeout(send, delayMs)
      else send()
    })
    from.on('error', () => to.destroy())
    from.on('close', () => {
      sockets.delete(from)
      to.destroy()
    })
  }

  const server = createServer((client) => {
    const target = connect(targetPort, '127.0.0.1')
    for (const socket of [client, target]) sockets.add(socket.setNoDelay())
    pass(client, target, false)
    pass(target, client, true)
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    delay(ms) {
      delayMs = ms
    },
    swallow(silent) {
      isSilent = silent
      if (!silent) for (const socket of swallowed) socket.destroy()
      swallowed.clear()
    },
    cutNextAnswer() {
      cutsAnswer = true
    },
    close() {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
