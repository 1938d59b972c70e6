import { adapterCases, nodeReplyCases } from '@farebox/testkit/adapter'
import { describe, it } from 'vitest'
import { expressHost } from './express-host.ts'

const hosts = { 'Express 5': { host: expressHost, cases: [...adapterCases, ...nodeReplyCases] } }

describe.each(Object.entries(hosts))('the gateway on %s', (_name, { host, cases }) => {
  for (const { name, run } of cases) it(name, () => run(host))
})
