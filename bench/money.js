import { rmSync } from 'node:fs'
import { memoryStorage, perMillion, planPreset, usd } from '@farebox/core'
import { sqlite } from '@farebox/sqlite'
import Database from 'libsql'
import { model, providerModel } from './workloads.js'

/** Nothing measured here may run out of credit. */
export const spendingLimit = usd('1000000000')
export const plans = planPreset('hf-2026-02-04', { spendingLimit })

export const catalogRow = {
  providerId: 'bench',
  providerModel,
  model,
  operation: 'chat',
  price: { input_token: perMillion('0.15'), output_token: perMillion('0.60') },
  limits: { contextTokens: 131_072, outputTokens: 4096 },
  source: 'https://example.com',
  readOn: '2026-11-22',
}

/** Memory, or a fresh database at `file`. */
export function openStorage(kind, file) {
  if (kind === 'memory') return memoryStorage()
  for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true })
  return sqlite(new Database(file))
}
