import { expect, it } from 'vitest'
import { checkRateLimits, hasLimits } from './rate-limits.ts'

it('takes whole numbers from 1 on', () => {
  for (const limit of [1, 60, 1e12]) checkRateLimits({ requestsPerMinute: limit }, 'limits')
  checkRateLimits({}, 'limits')
  checkRateLimits({ requestsPerMinute: undefined } as object, 'limits')
})

it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 1e12 + 1, '60', null])(
  'refuses %j as a limit, and says where it stood',
  (limit) => {
    expect(() => checkRateLimits({ tokensPerMinute: limit as number }, 'limits')).toThrow(
      /^limits\.tokensPerMinute must be a whole number from 1 to 10\^12/,
    )
  },
)

it('refuses a limit that there is no such thing as, and says what there is', () => {
  expect(() => checkRateLimits({ requestPerMinute: 5 } as object, 'The limits of "free"')).toThrow(
    'The limits of "free" has no "requestPerMinute" to limit. There are: requestsPerMinute, requestsPerHour,',
  )
})

it('tells whether anything is limited', () => {
  expect([undefined, {}, { requestsPerHour: 1 }].map(hasLimits)).toEqual([false, false, true])
})
