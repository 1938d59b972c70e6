// A host's module with a storage that takes its time, and says what it is asked for.
import { createLedger, memoryStorage, planPreset, systemClock, usd } from '@farebox/core'

const { ledger: fast } = memoryStorage()
const ledger = createLedger({ store: fast, plans: planPreset('hf-2026-02-04'), clock: systemClock })
for (let index = 0; index < 60; index += 1) {
  await ledger.grant({ accountId: 'alice', grantId: `g${index}`, amount: usd('1.00') })
}

export const storage = {
  ledger: {
    ...fast,
    async journal(accountId, afterSeq) {
      console.error(`reading after ${afterSeq}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
      return fast.journal(accountId, afterSeq, 1)
    },
    async close() {
      console.error('closed')
      await fast.close()
    },
  },
}
