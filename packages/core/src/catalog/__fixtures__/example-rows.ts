import { perMillion } from '../../money.ts'
import type { CatalogRow, Target } from '../target.ts'

const sources = { source: 'https://example.com/pricing', readOn: '2026-01-31' } as const

/** A row of a price book that a test may change. */
export function exampleRow(members: Partial<CatalogRow> = {}): CatalogRow {
  return {
    providerId: 'acme',
    providerModel: 'm-1',
    model: 'acme/m',
    operation: 'chat',
    price: { input_token: perMillion('1'), output_token: perMillion('2') },
    ...sources,
    ...members,
  }
}

/** A target that a test may change. Its id follows its provider and its model there. */
export function exampleTarget(members: Partial<Target> = {}): Target {
  const { providerId = 'acme', providerModel = 'm' } = members
  return {
    targetId: `${providerId}/${providerModel}`,
    providerId,
    providerModel,
    model: 'acme/m',
    operation: 'chat',
    price: { input_token: perMillion('1'), output_token: perMillion('1') },
    limits: {},
    priceVersion: 'v1',
    ...sources,
    ...members,
  }
}
