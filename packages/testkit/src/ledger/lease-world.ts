import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import {
  type Clock,
  countedIds,
  createLedger,
  type FakeClock,
  fakeClock,
  type LeasingLedger,
  type Ledger,
  type LedgerStore,
  leasing,
  memoryStorage,
  OutcomeUnknown,
  type Receipt,
  type Storage,
} from '@farebox/core'
import { leasePlans } from './lessees.ts'
import { holdOf, hour, second, served } from './requests.ts'

/** What happens next. Numbers that pick something are taken modulo what there is. */
export type Act =
  | { readonly act: 'reserve'; readonly by: number; readonly amount: bigint }
  | { readonly act: 'settle'; readonly pick: number; readonly cost: bigint }
  | { readonly act: 'deliver' | 'lose'; readonly pick: number }
  | { readonly act: 'read' | 'crash'; readonly by: number }
  | { readonly act: 'wait' | 'jump'; readonly ms: number }

/** A call of the store on its way: first to it, then back. */
interface Message {
  isApplied: boolean
  readonly apply: () => Promise<void>
  readonly answer: () => void
  readonly lose: () => void
  readonly from: Life
}

export interface Life {
  isOver: boolean
}

interface Held {
  readonly id: string
  readonly amount: bigint
  readonly process: LeaseProcess
}

/** A process of the host, dead or alive. */
export interface LeaseProcess {
  readonly life: Life
  readonly ledger: LeasingLedger
  readonly told: Receipt[]
  /** What this process has answered: the cost of each request. */
  readonly answered: Map<string, bigint>
}

/** Processes that lease one account, on a store that answers when a history says so. */
export interface LeaseWorld {
  readonly clock: FakeClock
  readonly storage: Storage
  /** A ledger that reaches the store at once. */
  readonly plain: Ledger
  /** Those that live, and those that have died. */
  readonly processes: readonly LeaseProcess[]
  /** Requests that cost more than was held for them, and requests that a lease has settled. */
  readonly overruns: () => number
  readonly leased: () => number
  /** What must never happen. */
  readonly faults: readonly unknown[]
  /** One step of a history. */
  act(step: Act): Promise<void>
  /** Everything that is on its way arrives. */
  drain(): Promise<void>
  /** Everything arrives, and whoever lives ends in good order. */
  heal(): Promise<void>
}

export function createLeaseWorld(startMs: number): LeaseWorld {
  const clock = fakeClock(startMs)
  const storage = memoryStorage({ clock })
  const plain = createLedger({ store: storage.ledger, plans: leasePlans, clock })
  const messages: Message[] = []
  const processes: LeaseProcess[] = []
  const open: Held[] = []
  const faults: unknown[] = []
  const endings: { readonly life: Life; readonly promise: Promise<unknown> }[] = []
  let requests = 0
  let overruns = 0
  let leased = 0

  function remote(life: Life): LedgerStore {
    return {
      ...storage.ledger,
      transact<R>(...call: Parameters<LedgerStore['transact']>): Promise<R> {
        return new Promise<R>((resolve, reject) => {
          let answer = () => reject(new OutcomeUnknown('The connection broke.'))
          messages.push({
            from: life,
            isApplied: false,
            async apply() {
              const result = (await storage.ledger.transact(...call)) as R
              answer = () => resolve(result)
            },
            answer: () => answer(),
            lose: () => reject(new OutcomeUnknown('The connection broke.')),
          })
        })
      },
    }
  }

  function start(name: string): LeaseProcess {
    const life: Life = { isOver: false }
    const own: Clock = {
      ...clock,
      after: (delayMs, task) => clock.after(delayMs, () => life.isOver || task()),
    }
    const options = { store: remote(life), plans: leasePlans, clock: own }
    const told: Receipt[] = []
    const ledger = leasing(createLedger(options), {
      ...options,
      ids: countedIds(name),
      onSettled: ({ receipt }) => told.push(receipt),
      onFailed: (_accountId, cause) => {
        if (!String(cause).includes('out of reach')) faults.push(cause)
      },
    })
    return { life, ledger, told, answered: new Map() }
  }

  async function move(message: Message | undefined): Promise<void> {
    if (message === undefined) return
    if (!message.isApplied) {
      message.isApplied = true
      await message.apply()
      return
    }
    messages.splice(messages.indexOf(message), 1)
    if (!message.from.isOver) message.answer()
  }

  function pick<T>(all: readonly T[], index: number): T | undefined {
    return all[index % all.length]
  }

  /** Asks again for as long as the store is out of reach: gives up with the process. */
  async function insist<R>(operation: () => Promise<R>): Promise<R> {
    for (;;) {
      try {
        return await operation()
      } catch (error) {
        if (!String(error).includes('out of reach')) throw error
      }
    }
  }

  function reserve(process: LeaseProcess, amount: bigint): void {
    requests += 1
    const id = `r${requests}`
    const asked = holdOf(id, amount, { timeToLiveMs: hour })
    const promise = insist(() => process.ledger.reserve(asked)).then((result) => {
      if (result.outcome === 'reserved') open.push({ id, amount, process })
    })
    endings.push({ life: process.life, promise })
  }

  function settle(held: Held, cost: bigint): void {
    open.splice(open.indexOf(held), 1)
    const { id, process } = held
    if (cost > held.amount) overruns += 1
    const request = { accountId: 'alice', reservationId: id, attempts: [served(cost)] }
    const promise = insist(() => process.ledger.settle(request)).then((result) => {
      assert.equal(result.outcome, 'settled')
      if (result.outcome === 'settled' && result.isUnwritten === true) leased += 1
      process.answered.set(id, cost)
    })
    endings.push({ life: process.life, promise })
  }

  function read({ life, ledger }: LeaseProcess): void {
    endings.push({ life, promise: insist(() => ledger.balance('alice')) })
  }

  function crash(index: number): void {
    const dead = lives[index] as LeaseProcess
    dead.life.isOver = true
    for (const held of open.filter(({ process }) => process === dead)) open.splice(open.indexOf(held), 1)
    const next = start(`p${processes.length}`)
    lives[index] = next
    processes.push(next)
  }

  /** Lets everything arrive until these have ended. */
  async function arrive(promises: readonly Promise<unknown>[]): Promise<void> {
    let isOver = false
    const ended = Promise.all(promises).then(() => {
      isOver = true
    })
    for (let step = 0; step < 20_000 && !isOver; step += 1) {
      await move(messages[0])
      if (messages.length === 0) clock.advance(second / 4)
      await setImmediate()
    }
    assert.ok(isOver, 'something has no end')
    await ended
  }

  function living(): readonly Promise<unknown>[] {
    return endings.filter(({ life }) => !life.isOver).map(({ promise }) => promise)
  }

  const lives = [start('a1'), start('b1')]
  processes.push(...lives)

  return {
    clock,
    storage,
    plain,
    processes,
    faults,
    overruns: () => overruns,
    leased: () => leased,
    async act(step) {
      switch (step.act) {
        case 'reserve':
          reserve(pick(lives, step.by) as LeaseProcess, step.amount)
          break
        case 'settle': {
          const held = pick(open, step.pick)
          if (held !== undefined) settle(held, step.cost)
          break
        }
        case 'deliver':
          await move(pick(messages, step.pick))
          break
        case 'lose': {
          const message = pick(messages, step.pick)
          if (message === undefined) break
          messages.splice(messages.indexOf(message), 1)
          if (!message.from.isOver) message.lose()
          break
        }
        case 'read':
          read(pick(lives, step.by) as LeaseProcess)
          break
        case 'crash':
          crash(step.by % lives.length)
          break
        case 'wait':
          clock.advance(step.ms)
          break
        case 'jump':
          clock.set(clock.now() + step.ms)
      }
      await setImmediate()
    },
    async drain() {
      while (messages.length > 0) {
        await move(messages[0])
        await setImmediate()
      }
    },
    async heal() {
      await arrive(living())
      for (const held of [...open]) settle(held, held.amount / 2n)
      await arrive(living())
      await arrive(lives.map(({ ledger }) => ledger.close()))
    },
  }
}
