/**
 * For authors of stores that are reached over a network: decides the calls of one account one after another in this process,
 * on what is remembered of it or was just read, so that they are written by one compare-and-set.
 */

export { checkText } from '../check-text.ts'
export {
  type AccountCache,
  accountCache,
  type CachedAccount,
  type OpenRecords,
  openRecords,
} from './account-cache.ts'
export { type AccountDraft, accountOf, type DraftChanges, draftAccount } from './account-draft.ts'
export type { AccountReading, StoredRecord } from './account-reading.ts'
export { type Contention, contention } from './contention.ts'
export { type Call, cutOf, decideAll, type Outcome } from './decide.ts'
export {
  type EncodedPut,
  type PreparedWrite,
  prepareWrite,
  refuseExisting,
  refuseGaps,
} from './prepared-write.ts'
export { hostClock, type StoreClock, serverClock } from './store-clock.ts'
