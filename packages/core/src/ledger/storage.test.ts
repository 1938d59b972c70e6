import { expect, it } from 'vitest'
import { isOutcomeUnknown, isUnavailable, OutcomeUnknown, StoreRegressed, Unavailable } from './storage.ts'

it('a failure of a store is known by its name, also when it comes from another copy of the package', () => {
  const named = (name: string) => Object.assign(new Error('x'), { name })
  for (const error of [new Unavailable('x'), new StoreRegressed('x'), named('StoreRegressed')]) {
    expect([isUnavailable(error), isOutcomeUnknown(error)]).toEqual([true, false])
  }
  for (const error of [new OutcomeUnknown('x'), named('OutcomeUnknown')]) {
    expect([isUnavailable(error), isOutcomeUnknown(error)]).toEqual([false, true])
  }
  for (const error of [new TypeError('x'), { name: 'Unavailable' }, { name: 'OutcomeUnknown' }, undefined]) {
    expect([isUnavailable(error), isOutcomeUnknown(error)]).toEqual([false, false])
  }
})
