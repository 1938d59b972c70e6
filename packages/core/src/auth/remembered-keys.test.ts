import { expect, it } from 'vitest'
import { fakeClock } from '../clock.ts'
import { rememberKeys } from './remembered-keys.ts'

it('refuses a key a second after it was revoked, also to who waits for a check that was asked before', async () => {
  const clock = fakeClock(0)
  let epoch = 1n
  let kept: object | undefined = { name: 'the key' }
  let answerSlowly: ((epoch: bigint) => void) | undefined
  let isSlow = false
  const keys = rememberKeys<object>({
    clock,
    read: async () => kept,
    readEpoch: () =>
      isSlow ? new Promise<bigint>((resolve) => (answerSlowly = resolve)) : Promise.resolve(epoch),
  })
  expect(await keys.load('k')).toBe(kept)

  clock.advance(2_000)
  isSlow = true
  const early = keys.load('k')
  isSlow = false
  // Another process revokes it, and is told that it is done.
  const revoked = kept
  kept = undefined
  epoch = 2n
  clock.advance(1_000)
  const late = keys.load('k')
  answerSlowly?.(1n)

  expect(await early).toBe(revoked)
  expect(await late).toBeUndefined()
})
