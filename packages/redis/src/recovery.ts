import { StoreRegressed } from '@farebox/core'
import type { AccountIndex } from './account-index.ts'
import type { Accounts, WriteRequest } from './accounts.ts'
import type { Commands } from './commands.ts'
import type { RedisEvent } from './event.ts'
import type { KeyNames } from './key-names.ts'
import { markField, markText, type Position } from './position.ts'
import type { Reading } from './reading.ts'
import { acceptAccount, freezeAccount } from './scripts.ts'
import { judge, type Sightings } from './sightings.ts'
import type { RememberedWrite, WriteMemory } from './write-memory.ts'

/** What happens when a server has forgotten writes that it had answered. */
export interface Recovery {
  /**
   * Whether a reading shows everything that was known of the account before it was asked for. If not, the account is stopped for all
   * processes, and what this one remembers is put back: then `false`, and it has to be read again.
   *
   * @throws StoreRegressed when something is missing that this process does not remember.
   */
  isWhole(accountId: string, reading: Reading, known: Position | undefined): Promise<boolean>
  repair(accountId: string, writes: readonly RememberedWrite[]): Promise<RepairReport>
  acceptLoss(accountId: string): Promise<void>
}

export interface RepairReport {
  /** `stopped`: writes are missing still, and requests of the account are refused. */
  readonly outcome: 'whole' | 'stopped'
  /** How many writes were put back. */
  readonly replayed: number
  /** The version the account is at now. */
  readonly version: bigint
  /** Why the account is stopped. */
  readonly reason?: string
}

export interface RecoveryContext {
  readonly accounts: Accounts
  readonly index: AccountIndex
  readonly commands: Commands
  readonly names: KeyNames
  readonly sightings: Sightings
  readonly memory: WriteMemory
  readonly nonce: string
  readonly onEvent: (event: RedisEvent) => void
}

export function recoveryOf(context: RecoveryContext): Recovery {
  const { accounts, index, commands, names, sightings, memory, nonce, onEvent } = context
  /** How many writes were put back into accounts that are not whole yet. */
  const underRepair = new Map<string, number>()
  let accepted = 0

  async function stop(accountId: string, { reading, known, verdict }: Found): Promise<void> {
    if (known === undefined || verdict === 'whole') return
    const { position } = reading
    const reason =
      verdict === 'behind'
        ? `Redis has the account at version ${position.version}, after version ${known.version} was seen: it has forgotten writes that it had answered.`
        : `Redis has other writes in the account than were seen up to version ${known.version}: it has forgotten writes that it had answered, and others came in their place.`
    index.forgetNotes()
    const isFirst = await commands.write(
      freezeAccount,
      [names.of(accountId).account],
      [position.mark, known.mark, String(known.writes), reason],
    )
    if (isFirst === 1) {
      onEvent({ kind: 'account-regressed', accountId, seen: known.version, found: position.version, reason })
    }
  }

  async function replay(accountId: string, path: readonly RememberedWrite[]): Promise<number> {
    let replayed = 0
    if (path.length > 0) await index.note(accountId, true)
    for (const write of path) {
      const answer = await accounts.write(replayOf(write))
      // Another process was faster: the next reading shows how far it came.
      if (answer.outcome !== 'written') break
      replayed += 1
    }
    if (replayed > 0) underRepair.set(accountId, (underRepair.get(accountId) ?? 0) + replayed)
    return replayed
  }

  async function find(accountId: string): Promise<Found> {
    const known = sightings.get(accountId)
    const request = { accountId, keys: [], dueBy: 0, dueMax: 1, known, token: undefined }
    const reading = (await accounts.read(request)) as Reading
    return { reading, known, verdict: judge(known, reading) }
  }

  function isGood(accountId: string, { reading, verdict }: Found): boolean {
    if (reading.frozen !== undefined || verdict !== 'whole') return false
    const { position } = reading
    memory.confirm(accountId, position.mark)
    sightings.note(accountId, position)
    const replayed = underRepair.get(accountId)
    if (replayed !== undefined) {
      underRepair.delete(accountId)
      onEvent({ kind: 'account-repaired', accountId, version: position.version, replayed })
    }
    return true
  }

  /** Stops the account if that was not done yet, and puts back what can be. Gives how many writes that were. */
  async function putBack(accountId: string, found: Found): Promise<number> {
    await stop(accountId, found)
    return replay(accountId, memory.after(accountId, found.reading.position.mark))
  }

  return {
    async isWhole(accountId, reading, known) {
      const found = { reading, known, verdict: judge(known, reading) }
      if (isGood(accountId, found)) return true
      if ((await putBack(accountId, found)) > 0) return false
      const now = await find(accountId)
      const { frozen, position } = now.reading
      if (position.mark !== reading.position.mark || (frozen === undefined && now.verdict === 'whole')) {
        return false
      }
      throw new StoreRegressed(`${frozen ?? forgotten} The account is stopped until it is repaired.`)
    },
    async repair(accountId, writes) {
      const own = writes.filter((write) => write.accountId === accountId)
      for (const write of own) memory.add(write)
      for (const { to } of own) memory.confirm(accountId, to.mark)
      let replayed = 0
      for (;;) {
        const found = await find(accountId)
        const { version } = found.reading.position
        if (isGood(accountId, found)) return { outcome: 'whole', replayed, version }
        const count = await putBack(accountId, found)
        replayed += count
        if (count === 0) {
          const { reading } = await find(accountId)
          return { outcome: 'stopped', replayed, version, reason: reading.frozen ?? forgotten }
        }
      }
    },
    async acceptLoss(accountId) {
      const { position } = (await find(accountId)).reading
      accepted += 1
      const to: Position = {
        epoch: Math.max(position.epoch, sightings.get(accountId)?.epoch ?? 0) + 1,
        writes: position.writes + 1,
        mark: `${nonce}.a${accepted}`,
        version: position.version,
      }
      const isDone = await commands.write(
        acceptAccount,
        [names.of(accountId).account],
        [position.mark, String(to.epoch), String(to.writes), to.mark, markField(to.writes), markText(to)],
      )
      if (isDone !== 1) throw new StoreRegressed('The account was written meanwhile. Look at it again.')
      underRepair.delete(accountId)
      sightings.note(accountId, to)
      onEvent({ kind: 'loss-accepted', accountId, version: position.version })
    },
  }
}

const forgotten = 'Redis has forgotten writes that it had answered.'

interface Found {
  readonly reading: Reading
  readonly known: Position | undefined
  readonly verdict: ReturnType<typeof judge>
}

function replayOf(write: RememberedWrite): WriteRequest {
  return {
    accountId: write.accountId,
    changes: write,
    from: write.from,
    to: write.to,
    absent: [],
    now: 0,
    toleranceMs: Number.POSITIVE_INFINITY,
    purgeMax: 0,
    token: undefined,
    isReplay: true,
  }
}
