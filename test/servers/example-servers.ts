import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hasPostgres, hasRedis, startPostgres, startRedis } from '@farebox/testkit/servers'

/** An example that is a product around the gateway, and where it keeps its accounts in tests. */
export interface ExampleServer {
  readonly name: string
  readonly script: string
  /** Whether this machine has the server that the storage needs. */
  readonly isPossible: boolean
  /** Starts what the example keeps its accounts in. */
  open(): Promise<Place>
}

/** What an example keeps its accounts in, started for it. */
export interface Place {
  readonly setting: string
  close(): void | Promise<void>
}

/** Where the web app runs that may read what the examples answer. */
export const allowedOrigin = 'https://app.example'

/** Each with another storage, so that each setting is used by one. */
export const exampleServers: readonly ExampleServer[] = [
  {
    name: 'express',
    script: scriptOf('express'),
    isPossible: true,
    async open() {
      const folder = mkdtempSync(join(tmpdir(), 'farebox-example-'))
      return {
        setting: `sqlite:${join(folder, 'credits.db')}`,
        close: () => rmSync(folder, { recursive: true, force: true }),
      }
    },
  },
  {
    name: 'koa',
    script: scriptOf('koa'),
    isPossible: hasPostgres(),
    async open() {
      const server = await startPostgres()
      return { setting: server.url, close: () => server.stop() }
    },
  },
  {
    name: 'fastify-plugin',
    script: scriptOf('fastify-plugin'),
    isPossible: hasRedis(),
    async open() {
      const server = await startRedis()
      return { setting: server.url, close: () => server.stop() }
    },
  },
  {
    name: 'fastify-middie',
    script: scriptOf('fastify-middie'),
    isPossible: true,
    open: async () => ({ setting: 'memory', close: () => undefined }),
  },
]

/** The file that runs an example. */
export function scriptOf(name: string): string {
  return fileURLToPath(new URL(`../../examples/${name}/server.js`, import.meta.url))
}
