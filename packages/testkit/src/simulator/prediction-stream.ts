import { endlessPiece } from './answer.ts'
import type { Exchange } from './exchange.ts'
import type { Fault } from './faults.ts'
import type { Prediction } from './prediction.ts'
import { type Pace, playStream } from './stream.ts'

export const errorEvents: readonly string[] = [
  'event: error\ndata: {"detail":"An error occurred."}',
  'event: done\ndata: {"reason":"error"}',
]

/** Streams the output of a job. Reading it to its end ends the job; leaving early does not touch it. */
export async function streamPrediction(
  exchange: Exchange,
  prediction: Prediction,
  { fault, pace }: { fault: Fault | undefined; pace: Pace },
): Promise<void> {
  prediction.begin()
  const stream = {
    headers: {},
    opening: [],
    tokens: outputEvents(prediction),
    closing: () => closingEvents(prediction),
    errorEvents,
    onEnd: (_tokens: number, outcome: string) => {
      if (outcome === 'complete') prediction.complete()
    },
  }
  await playStream(exchange, stream, { fault, pace })
}

function* outputEvents(prediction: Prediction): Generator<string> {
  const { outputs, question, fault } = prediction.request
  if (fault?.kind === 'job-failed') return
  const isEndless = fault?.kind === 'never-ending'
  for (let index = 0; isEndless || index < outputs.length; index += 1) {
    if (prediction.status() === 'canceled') return
    const output = outputs[index] ?? endlessPiece(question, 0, index)
    yield `event: output\nid: ${1_700_000_000 + index}:0\ndata: ${output.replaceAll('\n', '\ndata: ')}`
  }
}

function closingEvents(prediction: Prediction): readonly string[] {
  switch (prediction.status()) {
    case 'canceled':
      return ['event: done\ndata: {"reason":"canceled"}']
    case 'failed':
      return errorEvents
    default:
      return ['event: done\ndata: {}']
  }
}
