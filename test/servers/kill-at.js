/**
 * Lets this process end itself, as kill -9 does, at a named point of its work: before or after the store has written the n-th step
 * of a lease, of which the first opens it and the others are checkpoints. What happens after is written, and nobody hears of it.
 */
export function killAt(storage, { step, when }) {
  const { ledger } = storage
  let steps = 0
  return {
    ...storage,
    ledger: {
      ...ledger,
      async transact(accountId, keys, ...rest) {
        const isNow = keys.some((key) => key.startsWith('hold:lease:')) && ++steps === step
        if (isNow && when === 'before') await endAtOnce()
        const result = await ledger.transact(accountId, keys, ...rest)
        if (isNow) await endAtOnce()
        return result
      },
    },
  }
}

function endAtOnce() {
  process.kill(process.pid, 'SIGKILL')
  return new Promise(() => undefined)
}
