import type { Socket } from 'node:net'

type Listener = () => void

/** One listener on a connection, however many answers wait on it: a caller may have sent hundreds of requests at once. */
const waiting = new WeakMap<Socket, Set<Listener>>()

/**
 * Tells an answer that waits for the one before it when their connection closes. Node tells only the answer whose turn it
 * is: the others would wait for ever, and so would the providers that make them.
 *
 * Gives the function that forgets it.
 */
export function onConnectionClose(socket: Socket, listener: Listener): () => void {
  const listeners = waiting.get(socket) ?? watch(socket)
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

function watch(socket: Socket): Set<Listener> {
  const listeners = new Set<Listener>()
  waiting.set(socket, listeners)
  socket.once('close', () => {
    for (const listener of listeners) listener()
  })
  return listeners
}
