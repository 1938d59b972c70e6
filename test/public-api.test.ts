import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import * as core from '@farebox/core'
import * as batching from '@farebox/core/batching'
import * as prices from '@farebox/core/prices'
import * as cerebras from '@farebox/core/providers/cerebras'
import * as openaiCompatible from '@farebox/core/providers/openai-compatible'
import * as replicate from '@farebox/core/providers/replicate'
import * as together from '@farebox/core/providers/together'
import * as jsonLinesArchive from '@farebox/core/sinks/json-lines-archive'
import * as jsonLines from '@farebox/core/sinks/json-lines-file'
import * as express from '@farebox/express'
import * as fastify from '@farebox/fastify'
import * as koa from '@farebox/koa'
import * as postgres from '@farebox/postgres'
import * as redis from '@farebox/redis'
import * as sqlite from '@farebox/sqlite'
import * as stripe from '@farebox/stripe'
import * as farebox from 'farebox'
import { describe, expect, it } from 'vitest'

describe('the public names, under review', () => {
  it.each([
    [
      '@farebox/core',
      core,
      [
        'ByteStream',
        'GatewayError',
        'OutcomeUnknown',
        'StoreRegressed',
        'TransportError',
        'Unavailable',
        'UnpricedTierError',
        'UnpricedUnitError',
        'bearerKey',
        'chainHash',
        'charge',
        'checkDocumentKey',
        'countedIds',
        'createGateway',
        'createLedger',
        'createPriceBook',
        'decodeValue',
        'documentText',
        'encodeValue',
        'errorCodes',
        'fakeClock',
        'formatUsd',
        'isGatewayError',
        'isOutcomeUnknown',
        'isUnavailable',
        'leasing',
        'memoryStorage',
        'nano',
        'perMillion',
        'perUnit',
        'planPreset',
        'priceBook',
        'randomIds',
        'rate',
        'rateUsage',
        'readEntry',
        'shareOf',
        'systemClock',
        'usd',
        'webhooks',
        'zero',
      ],
    ],
    [
      '@farebox/core/prices',
      prices,
      [
        'readFareboxPrices',
        'readGenaiPrices',
        'readHuggingFacePrices',
        'readLiteLlmPrices',
        'readModelsDevPrices',
        'readOpenRouterPrices',
      ],
    ],
    ['@farebox/core/providers/cerebras', cerebras, ['cerebras']],
    ['@farebox/core/providers/together', together, ['together']],
    ['@farebox/core/providers/replicate', replicate, ['replicate']],
    ['@farebox/core/providers/openai-compatible', openaiCompatible, ['openaiCompatible']],
    [
      '@farebox/core/batching',
      batching,
      [
        'accountCache',
        'accountOf',
        'checkText',
        'contention',
        'cutOf',
        'decideAll',
        'draftAccount',
        'hostClock',
        'openRecords',
        'prepareWrite',
        'refuseExisting',
        'refuseGaps',
        'serverClock',
      ],
    ],
    ['@farebox/core/sinks/json-lines-file', jsonLines, ['jsonLinesFile']],
    ['@farebox/core/sinks/json-lines-archive', jsonLinesArchive, ['jsonLinesArchive']],
    ['@farebox/express', express, ['middleware']],
    ['@farebox/koa', koa, ['middleware']],
    ['@farebox/fastify', fastify, ['middleware', 'plugin']],
    ['@farebox/postgres', postgres, ['migrate', 'migrations', 'postgres']],
    ['@farebox/redis', redis, ['redis']],
    ['@farebox/sqlite', sqlite, ['sqlite']],
    ['@farebox/stripe', stripe, ['createPayments']],
    ['farebox', farebox, ['run']],
  ])('%s exports exactly these values', (_name, names, expected) => {
    expect(Object.keys(names).sort()).toEqual(expected)
  })
})

it('can be required from CommonJS, because no module awaits at its top level', () => {
  const script = `
    const { createGateway } = require('@farebox/core')
    const { cerebras } = require('@farebox/core/providers/cerebras')
    const { middleware } = require('@farebox/express')
    const { postgres } = require('@farebox/postgres')
    const { sqlite } = require('@farebox/sqlite')
    const { createPayments } = require('@farebox/stripe')
    console.log([createGateway, cerebras, middleware, postgres, sqlite, createPayments].map((value) => typeof value).join())`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=commonjs', '-e', script], {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    encoding: 'utf8',
  })
  expect(stdout.trim(), stderr).toBe('function,function,function,function,function,function')
})
