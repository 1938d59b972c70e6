import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** Stands between clients and a server, or the servers of a cluster, and makes the way longer, or cuts it. */
export interface TcpProxy {
  /** By which the first server is reached. */
  readonly port: number
  /** By which each server is reached, by its own port. */
  readonly ports: Readonly<Record<number, number>>
  /** How often clients have sent something so far, whatever it was and however much at a time. */
  asked(): number
  /** Delays what passes from now on, each way. */
  delay(ms: number): void
  /** From now on nothing passes any more, and nobody is told. With `false` that ends, and what was swallowed from is cut. */
  swallow(isSilent: boolean): void
  /** Passes on what the client sends next, and cuts the connection before the answer. */
  cutNextAnswer(): void
  close(): Promise<void>
}

export async function startTcpProxy(...targetPorts: readonly number[]): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  const swallowed = new Set<Socket>()
  let askedCount = 0
  let delayMs = 0
  let isSilent = false
  let cutsAnswer = false

  const pass = (from: Socket, to: Socket, isAnswer: boolean): void => {
    from.on('data', (bytes) => {
      if (!isAnswer) askedCount += 1
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

  const servers = await Promise.all(
    targetPorts.map((targetPort) => {
      const server = createServer((client) => {
        const target = connect(targetPort, '127.0.0.1')
        for (const socket of [client, target]) sockets.add(socket.setNoDelay())
        pass(client, target, false)
        pass(target, client, true)
      })
      return new Promise<Server>((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
    }),
  )
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  return {
    port: ports[0] ?? 0,
    ports: Object.fromEntries(targetPorts.map((targetPort, index) => [targetPort, ports[index] ?? 0])),
    asked: () => askedCount,
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
    async close() {
      for (const socket of sockets) socket.destroy()
      await Promise.all(
        servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
      )
    },
  }
}
