import { createRequire } from 'node:module'
import { type AdapterCase, type AdapterHost, adapterCases, nodeReplyCases } from '@farebox/testkit/adapter'
import type { Express } from 'express'
import { describe, expect, it } from 'vitest'
import { createExpressHost, expressHost } from './express-host.ts'
import { fastifyMiddieHost, fastifyPluginHost } from './hosts/fastify.ts'
import { fetchHost } from './hosts/fetch.ts'
import { koaHost } from './hosts/koa.ts'

const express4 = createRequire(import.meta.url)('express4') as () => Express

interface Subject {
  readonly host: AdapterHost
  readonly cases: readonly AdapterCase[]
  /** Rules this host cannot keep, and why. docs/hosts/README.md lists the same. */
  readonly exceptions?: Readonly<Record<string, string>>
}

const everything = [...adapterCases, ...nodeReplyCases]

const belowTheWeb = 'happens on the Node request below, of which a web request knows nothing'

const noAddress = 'a web request does not say where it came from'

const hosts: Readonly<Record<string, Subject>> = {
  'Express 5': { host: expressHost, cases: everything },
  'Express 4': { host: createExpressHost(express4), cases: everything },
  'Koa 3': { host: koaHost, cases: adapterCases },
  'Fastify 5 with middie': { host: fastifyMiddieHost, cases: everything },
  'Fastify 5 as a plugin': { host: fastifyPluginHost, cases: adapterCases },
  'Hono by fetch': {
    host: fetchHost,
    cases: adapterCases,
    exceptions: {
      'says that somebody else has read the body': belowTheWeb,
      'says that the body flowed away while the caller was being authenticated': belowTheWeb,
      'forgets a request whose caller left while the host was at work': belowTheWeb,
      'forgets a request whose caller left while the host was at work and nobody had read the body':
        belowTheWeb,
      'stops also those streams of a caller who leaves whose turn had not come': belowTheWeb,
      'forgets a request whose caller left while the host was at work and its turn had not come': belowTheWeb,
      'sends the pieces of a stream at once, also where the host gathers small ones': belowTheWeb,
      'shows authenticate the address of a caller behind a proxy that the host trusts': noAddress,
      'shows authenticate the address of the connection where the host trusts no proxy': noAddress,
      'lets the caller of a 50 MB body in chunks read why it is refused':
        'the server closes the connection of a request whose body nobody reads to its end',
    },
  },
}

describe.each(Object.entries(hosts))('the gateway on %s', (_name, { host, cases, exceptions = {} }) => {
  for (const { name, run } of cases) if (!(name in exceptions)) it(name, () => run(host))

  it('is excepted only from rules there are', () => {
    const names = cases.map(({ name }) => name)
    expect(Object.keys(exceptions).filter((name) => !names.includes(name))).toEqual([])
  })
})
