import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Gateway } from '@farebox/core'

/** A framework with an adapter, as the cases make new servers of it. */
export interface AdapterHost {
  /**
   * Starts a server on a free port of 127.0.0.1 with the gateway mounted.
   *
   * What the gateway leaves to its host, the host answers with the header `x-answered-by: host`: 404 for an unknown path,
   * 204 for OPTIONS, and 500 when the gateway throws.
   */
  mount(gateway: Gateway, options: MountOptions): Promise<MountedHost>
}

export interface MountOptions {
  /** Where the gateway is mounted: `/ai`, or the empty text for the root. */
  readonly prefix: string
  /** Whether the host's own JSON parser runs before the gateway. */
  readonly parsesJson: boolean
  /** Headers the host sets on every answer before the gateway sees the request, in the host's own way. */
  readonly headers: Readonly<Record<string, string>>
  /** Whether the host believes what a proxy says of its callers: `X-Forwarded-For`. */
  readonly trustsProxy: boolean
  /** Runs before the gateway, as the host's own middleware would. The host waits for it. */
  readonly before: ((message: IncomingMessage, reply: ServerResponse) => void | Promise<void>) | undefined
}

export interface MountedHost {
  /** Without the prefix: `http://127.0.0.1:40123`. */
  readonly url: string
  /**
   * Takes no new connections, lets running requests finish, and closes the gateway, in the way the host's users are told to.
   * Resolves when all of that is done.
   */
  stop(): Promise<void>
  /** Closes every connection and frees the port. Leaves the gateway alone. */
  close(): Promise<void>
}

/** One rule that every adapter keeps. `run` rejects when the adapter breaks it. */
export interface AdapterCase {
  /** The rule, in a sentence. */
  readonly name: string
  run(host: AdapterHost): Promise<void>
}
