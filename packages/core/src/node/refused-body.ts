import type { IncomingMessage } from 'node:http'

/** How long a refused body may pass unread, and how long it may pause, in milliseconds. */
const refusedBodyMs = 30_000
const refusedPauseMs = 5_000

/**
 * Throws the rest of a refused body away, and calls back when it is over, or has taken too long. Until then the connection
 * stays: closing it would reset it under a caller who is still sending, before the answer is read.
 */
export function afterBody(message: IncomingMessage, onEnd: () => void): void {
  const finish = () => {
    clearTimeout(longest)
    clearTimeout(pause)
    message.off('end', finish).off('close', finish).off('data', onData)
    onEnd()
  }
  const longest = setTimeout(finish, refusedBodyMs).unref()
  const pause = setTimeout(finish, refusedPauseMs).unref()
  const onData = () => pause.refresh()
  if (message.destroyed) finish()
  else message.on('end', finish).on('close', finish).on('data', onData).resume()
}
