import type { AdapterCase } from './adapter-host.ts'
import { bodyCases } from './body-cases.ts'
import { closeCases } from './close-cases.ts'
import { connectionCases } from './connection-cases.ts'
import { disconnectCases } from './disconnect-cases.ts'
import { pathCases } from './path-cases.ts'
import { proxyCases } from './proxy-cases.ts'
import { responseCases } from './response-cases.ts'
import { stallCases } from './stall-cases.ts'
import { statementCases } from './statement-cases.ts'
import { streamCases } from './stream-cases.ts'

export type { AdapterCase, AdapterHost, MountedHost, MountOptions } from './adapter-host.ts'
export { eventually } from './eventually.ts'
export type { Answer, Client, OpenExchange, Question } from './http-client.ts'
export { type LeaveStreamsOptions, type LeftBehind, type LeftStreams, leaveStreams } from './left-streams.ts'
export { nodeReplyCases } from './node-reply-cases.ts'
export { chat, chatBody, chatModel, streamedChat } from './questions.ts'
export type { Resources } from './resources.ts'
export { accountId, apiKey, authorization, type Rig, type RigOptions, startRig } from './rig.ts'

/**
 * What every adapter keeps to, for any test runner: give each case's `run` your host. Adapters that write to Node's
 * `ServerResponse` themselves keep to `nodeReplyCases` as well.
 *
 * ```ts
 * for (const { name, run } of adapterCases) it(name, () => run(myHost))
 * ```
 */
export const adapterCases: readonly AdapterCase[] = [
  ...pathCases,
  ...bodyCases,
  ...responseCases,
  ...streamCases,
  ...disconnectCases,
  ...connectionCases,
  ...stallCases,
  ...proxyCases,
  ...closeCases,
  ...statementCases,
]
