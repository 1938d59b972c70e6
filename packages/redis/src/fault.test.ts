import { isOutcomeUnknown, isUnavailable, OutcomeUnknown, StoreRegressed, Unavailable } from '@farebox/core'
import { describe, expect, it } from 'vitest'
import { unavailable, writeFault } from './fault.ts'

class AbortError extends Error {}
class SocketClosedUnexpectedlyError extends Error {}

describe('a write that failed', () => {
  it.each([
    "READONLY You can't write against a read only replica.",
    "OOM command not allowed when used memory > 'maxmemory'.",
    'LOADING Redis is loading the dataset in memory',
    'CLUSTERDOWN The cluster is down',
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    'TRYAGAIN Multiple keys request during rehashing of slot',
    'NOREPLICAS Not enough good replicas to write.',
    'MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist on disk.',
    'BUSY Redis is busy running a script.',
    'NOAUTH Authentication required.',
    'MOVED 3999 127.0.0.1:6381',
    // As servers before 7.0 say it of a command inside a script.
    "ERR Error running script (call to f_1): @user_script:5: @user_script: 5: -READONLY You can't write",
    'The queue is full',
    'The client is closed',
    'All the root nodes are unavailable',
  ])('was surely not applied when the server or the driver says "%s"', (message) => {
    expect(isUnavailable(writeFault(new Error(message)))).toBe(true)
  })

  it('was surely not applied when it was taken back before it was sent', () => {
    expect(isUnavailable(writeFault(new AbortError('The command was aborted')))).toBe(true)
  })

  it.each([
    'Socket closed unexpectedly',
    'read ECONNRESET',
    'Disconnects client',
    'NOPERM this user has no permissions to run the xadd command',
    'ERR something that nobody has heard of',
    'WRONGTYPE Operation against a key holding the wrong kind of value',
  ])('may have been applied in part or whole after "%s"', (message) => {
    expect(isOutcomeUnknown(writeFault(new Error(message)))).toBe(true)
  })

  it('keeps what is known already', () => {
    for (const error of [new Unavailable('a'), new OutcomeUnknown('b'), new StoreRegressed('c')]) {
      expect(writeFault(error)).toBe(error)
    }
  })

  it('keeps the cause, and tells nothing of it in its own words', () => {
    const cause = new SocketClosedUnexpectedlyError('Socket closed unexpectedly by 10.0.0.1')
    const fault = writeFault(cause)

    expect(fault.cause).toBe(cause)
    expect(fault.message).not.toContain('10.0.0.1')
  })
})

it('a reading that failed is unavailable, whatever the reason', () => {
  for (const error of [
    new Error('Socket closed unexpectedly'),
    new OutcomeUnknown('late'),
    'text',
    undefined,
  ]) {
    expect(isUnavailable(unavailable(error))).toBe(true)
  }
})
