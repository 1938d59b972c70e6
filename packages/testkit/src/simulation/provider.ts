import { listCost, type ProviderId, type Tokens } from './price-list.ts'
import type { World } from './world.ts'

/** What a provider itself knows of one attempt, whatever the gateway got to hear of it. */
export interface Served {
  readonly attemptId: string
  readonly providerId: ProviderId
  tokens: Tokens
  /** What the provider charges by its list for what it has done so far, plus `surcharge`. */
  cost: bigint
  /** What it charges beyond its list. */
  surcharge: bigint
  /** Whether it has stopped working on it. */
  isOver: boolean
  /** When it tells the cost to those who ask, on the elapsed time; never for `Infinity`. */
  costFromMs: number
  /** The usage that a gateway which lived was told last. */
  told: Tokens | undefined
  /** Whether that was said to be all of it. */
  isToldFinally: boolean
}

/** The provider's end of one exchange. What it says arrives in order, or not at all. */
export interface Line {
  /** Whether the provider has not heard yet that the other side has hung up. */
  readonly isUp: boolean
  head(status: number, contentType: string): void
  /** `onArrival` runs when the gateway has it. */
  say(text: string, onArrival?: () => void): void
  end(): void
  reset(): void
}

/** A request as it arrives at a provider. */
export interface Asked {
  readonly attemptId: string
  readonly providerId: ProviderId
  readonly isStream: boolean
  readonly outputMax: number
}

/** What the simulated providers did, and what it costs: the truth that the ledger is held against. */
export interface Providers {
  readonly served: ReadonlyMap<string, Served>
  receive(asked: Asked, line: Line): void
  /** What a provider answers to a question about costs. It knows of its own attempts only. */
  tellCosts(providerId: ProviderId, attemptIds: readonly string[], line: Line): void
}

const json = 'application/json'
const events = 'text/event-stream'

/** `onCost` is called by a provider that calls back when it knows a cost, and sometimes twice. */
export function createProviders(world: World, onCost: (record: Served) => void): Providers {
  const { random, scheduler, faults, nature } = world
  const served = new Map<string, Served>()

  function begin({ attemptId, providerId }: Asked): Served {
    // None at all is a count too, and not a missing one.
    const prompt = random.chance(0.05) ? 0 : random.between(20, 120)
    const record: Served = {
      attemptId,
      providerId,
      tokens: { prompt, cached: random.chance(0.3) ? random.between(0, prompt) : 0, output: 0 },
      cost: 0n,
      surcharge: faults.happens('provider charges otherwise') ? BigInt(random.between(-40_000, 40_000)) : 0n,
      isOver: false,
      costFromMs: Number.POSITIVE_INFINITY,
      told: undefined,
      isToldFinally: false,
    }
    if (served.has(attemptId)) throw new Error(`${attemptId} was sent to a provider twice.`)
    served.set(attemptId, record)
    return record
  }

  function work(record: Served, output: number): void {
    const { tokens, providerId } = record
    record.tokens = { ...tokens, output: tokens.output + output }
    const cost = listCost(providerId, record.tokens) + record.surcharge
    record.cost = cost > 0n ? cost : 0n
  }

  function finish(record: Served): void {
    if (record.isOver) return
    record.isOver = true
    const delayMs = costDelayMs(world, record.providerId)
    record.costFromMs = scheduler.elapsedMs + delayMs
    if (record.providerId === 'later') callBack(record, delayMs)
  }

  /** Some attempts are told without being asked for, whether or not anybody waits for them. */
  function callBack(record: Served, delayMs: number): void {
    if (delayMs > callBackWithinMs) return
    for (let times = random.pick([0, 0, 1, 2]); times > 0; times -= 1) {
      const afterMs = delayMs + random.pick([0, 1, 400, 9_000])
      later(afterMs, `${record.attemptId} provider calls back`, () => onCost(record))
    }
  }

  const later = (delayMs: number, label: string, run: () => void) =>
    scheduler.after(delayMs, nature, label, run)

  /** A whole reply: all the work first, then the answer in one piece. */
  function reply(record: Served, asked: Asked, line: Line): void {
    const output = outputOf(world, asked)
    const worksOn = faults.happens('provider works on')
    later(random.between(5, 400), `${asked.attemptId} provider answers`, () => {
      if (line.isUp || worksOn) work(record, output)
      finish(record)
      if (faults.happens('provider fails after work')) return problem(line, 500)
      if (faults.happens('provider talks nonsense')) return nonsense(world, line)
      line.head(200, json)
      const choices = [{ index: 0, message: { role: 'assistant', content: 'word '.repeat(output) } }]
      const isTold = !faults.happens('provider tells no usage')
      const usage = isTold ? { usage: usageOf(record.tokens) } : {}
      const text = JSON.stringify({ choices, ...usage })
      if (faults.happens('connection reset')) {
        line.say(text.slice(0, text.length / 2))
        return line.reset()
      }
      if (faults.happens('connection silent')) return undefined
      line.say(text, () => {
        if (isTold) tell(record, record.tokens, true)
      })
      return line.end()
    })
  }

  /** A stream: a piece of work, a piece of answer, and so on. */
  function stream(record: Served, asked: Asked, line: Line): void {
    const pieces = random.between(1, 4)
    const worksOn = faults.happens('provider works on')
    const tellsRunning = faults.happens('provider tells running usage')
    let left = outputOf(world, asked)
    const label = `${asked.attemptId} provider goes on`
    const goOn = (piece: number) => {
      if (!line.isUp && !worksOn) return finish(record)
      if (piece === 0) line.head(200, events)
      if (faults.happens('connection silent')) return finish(record)
      if (faults.happens('connection reset')) {
        finish(record)
        return line.reset()
      }
      if (faults.happens('provider breaks off')) {
        finish(record)
        return breakOff(world, line)
      }
      if (faults.happens('provider talks nonsense')) line.say('data: {"choices":[{"delta"\n\n')
      if (piece === pieces) return conclude()
      const output = piece === pieces - 1 ? left : random.between(0, left)
      left -= output
      work(record, output)
      const { tokens } = record
      line.say(pieceOf(output, tellsRunning ? usageOf(tokens) : undefined), () => {
        if (tellsRunning) tell(record, tokens, false)
      })
      return later(random.between(1, 60), label, () => goOn(piece + 1))
    }
    const conclude = () => {
      finish(record)
      line.say('data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n')
      if (!faults.happens('provider tells no usage')) {
        line.say(`data: ${JSON.stringify({ choices: [], usage: usageOf(record.tokens) })}\n\n`, () => {
          tell(record, record.tokens, true)
        })
      }
      if (!faults.happens('provider breaks off')) line.say('data: [DONE]\n\n')
      line.end()
    }
    later(random.between(5, 400), label, () => goOn(0))
  }

  return {
    served,
    receive(asked, line) {
      if (faults.happens('provider refuses')) {
        problem(line, random.pick([401, 402, 429, 500, 503]))
      } else if (asked.isStream) stream(begin(asked), asked, line)
      else reply(begin(asked), asked, line)
    },
    tellCosts(providerId, attemptIds, line) {
      if (faults.happens('provider cost unknown')) return problem(line, 503)
      const known = attemptIds.flatMap((id) => {
        const record = served.get(id)
        return record?.providerId === providerId && record.costFromMs <= scheduler.elapsedMs ? [record] : []
      })
      const requests = known.map(({ attemptId, cost }) => ({
        requestId: attemptId,
        costNanoUsd: Number(cost),
      }))
      line.head(200, json)
      line.say(JSON.stringify({ requests }))
      return line.end()
    },
  }
}

function tell(record: Served, tokens: Tokens, isFinal: boolean): void {
  record.told = tokens
  record.isToldFinally = isFinal
}

/** Costs that are known later are never told but to those who ask. */
const callBackWithinMs = 30 * 60_000

/** How long after its end an attempt's cost can be asked for. */
function costDelayMs({ random, faults }: World, providerId: ProviderId): number {
  if (faults.happens('provider cost late'))
    return random.pick([300, 3_000, 60_000, 15 * 60_000, 3 * 3_600_000])
  return providerId === 'later' ? random.pick([0, 50, 2_000, 30_000]) : 0
}

function outputOf({ random, faults }: World, { outputMax }: Asked): number {
  if (faults.happens('provider exceeds the bound')) return outputMax + random.between(1, 400)
  return random.between(0, outputMax)
}

function problem(line: Line, status: number): void {
  line.head(status, json)
  line.say(JSON.stringify({ error: { message: 'Simulated trouble.', type: 'server_error' } }))
  line.end()
}

function nonsense({ random }: World, line: Line): void {
  line.head(200, json)
  line.say(random.pick(['<html>It works!</html>', '', '{"choices":[]}', '{"error":{"message":"no"}}']))
  line.end()
}

function breakOff({ random }: World, line: Line): void {
  if (random.chance(0.5)) line.say('data: {"error":{"message":"The model has crashed."}}\n\n')
  if (random.chance(0.3)) line.say('data: [DONE]\n\n')
  line.end()
}

function pieceOf(output: number, usage: object | undefined): string {
  const choices = [{ index: 0, delta: { content: 'word '.repeat(output) }, finish_reason: null }]
  return `data: ${JSON.stringify({ choices, ...(usage !== undefined && { usage }) })}\n\n`
}

function usageOf({ prompt, cached, output }: Tokens): object {
  return {
    prompt_tokens: prompt,
    completion_tokens: output,
    total_tokens: prompt + output,
    prompt_tokens_details: { cached_tokens: cached },
  }
}
