import assert from 'node:assert/strict'
import { createLedger, fakeClock, type LatePolicy, type Ledger } from '@farebox/core'
import { answerOf, showBalance, showCredits, showKeys, showMembers } from './answer.ts'
import { checkInvariants, type Reading } from './check-invariants.ts'
import type { Command } from './command.ts'
import { casePlans, caseStartMs, type LedgerSubject } from './ledger-case.ts'
import { waitMs } from './model/late.ts'
import { type LedgerModel, ledgerModel } from './model/ledger-model.ts'

/**
 * Plays a history on a new store and on the model, and compares every answer, every balance and every counter, and
 * checks the invariants after every step.
 *
 * @throws Error that names the step, with what differs as its cause.
 */
export async function playCommands(
  subject: LedgerSubject,
  commands: readonly Command[],
  policy: LatePolicy = 'waive',
): Promise<void> {
  const clock = fakeClock(caseStartMs)
  const storage = await subject.createStore(clock)
  const late = { withinMs: waitMs, policy }
  const ledger = createLedger({ store: storage.ledger, plans: casePlans, clock, late })
  const model = ledgerModel(casePlans, policy)
  let reading: Reading | undefined
  try {
    for (const [index, command] of commands.entries()) {
      try {
        if (command.do === 'wait') clock.set(clock.now() + command.byMs)
        else if (command.do === 'period-end') {
          clock.set((await ledger.balance('alice')).resetsAtMs + command.byMs)
        } else if (command.do === 'close') {
          await close(ledger, model, clock.now())
        } else {
          const expected = model.run(command, clock.now())
          assert.deepEqual(await answerOf(ledger, command, clock.now()), expected)
        }
        assert.deepEqual(await showBalance(ledger), model.balance(clock.now()))
        assert.deepEqual(await showCredits(storage.ledger), model.credits())
        assert.deepEqual(await showMembers(ledger), model.members(clock.now()))
        assert.deepEqual(await showKeys(ledger), model.keys(clock.now()))
        reading = await checkInvariants(storage, 'alice', casePlans, reading)
      } catch (cause) {
        throw new Error(`Step ${index + 1}, ${command.do}, went wrong: ${String(cause)}`, { cause })
      }
    }
  } finally {
    await storage.ledger.close()
    await subject.dispose?.(storage)
  }
}

/**
 * When an invoice can be written is not the model's to say. It is told, and both are brought to one state: closing looks
 * after holds some times or none.
 */
async function close(ledger: Ledger, model: LedgerModel, nowMs: number): Promise<void> {
  const result = await ledger.statements.closePeriod({ accountId: 'alice' })
  if (result.outcome === 'no-period') return
  const { planId } = await ledger.balance('alice')
  const looks = Array<Command & { readonly do: 'configure' }>(2).fill({ do: 'configure', planId })
  if (result.outcome === 'closed') {
    // What time alone has changed belongs to the period: it is written before that is closed.
    for (const command of looks) model.run(command, nowMs)
    model.close(result.invoice.periodKey)
  }
  for (const command of looks) {
    model.run(command, nowMs)
    await ledger.configure({ accountId: 'alice', planId })
  }
}
