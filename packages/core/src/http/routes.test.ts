import { describe, expect, it } from 'vitest'
import { findRoute, methodsOf } from './routes.ts'

describe('findRoute', () => {
  it.each([
    ['/v1/chat/completions', { kind: 'inference', dialect: 'openai-chat' }],
    ['/v1/embeddings', { kind: 'inference', dialect: 'openai-embeddings' }],
    ['/v1/images/generations', { kind: 'inference', dialect: 'openai-images' }],
    ['/v1/messages', { kind: 'inference', dialect: 'anthropic-messages' }],
    ['/v1/messages/count_tokens', { kind: 'token-count', dialect: 'anthropic-messages' }],
    ['/v1/completions', { kind: 'inference', dialect: 'openai-completions' }],
    ['/v1/moderations', { kind: 'inference', dialect: 'openai-moderations' }],
    ['/v1/audio/speech', { kind: 'inference', dialect: 'openai-speech' }],
    ['/v1/audio/transcriptions', { kind: 'inference', dialect: 'openai-transcriptions' }],
    ['/models/org/m', { kind: 'inference', dialect: 'hugging-face-task', model: 'org/m' }],
    ['/hf-inference/models/org%2Fm', { kind: 'inference', dialect: 'hugging-face-task', model: 'org/m' }],
    [
      '/models/org/m/pipeline/feature-extraction',
      { kind: 'inference', dialect: 'hugging-face-task', model: 'org/m', task: 'feature-extraction' },
    ],
    ['/models/org/m/v1/chat/completions', { kind: 'inference', dialect: 'openai-chat', model: 'org/m' }],
    ['/models/org/m/v1/completions', { kind: 'inference', dialect: 'openai-completions', model: 'org/m' }],
    ['/together/v1/embeddings', { kind: 'inference', dialect: 'openai-embeddings', providerId: 'together' }],
    ['/together/v1/messages', { kind: 'inference', dialect: 'anthropic-messages', providerId: 'together' }],
    ['/api/models/org/m', { kind: 'hub-model', model: 'org/m' }],
    ['/v1/responses', { kind: 'inference', dialect: 'openai-responses' }],
    ['/v1/responses/resp_1', { kind: 'stored-response' }],
    ['/v1/responses/resp_1/input_items', { kind: 'stored-response' }],
    ['/v1/models', { kind: 'models' }],
    ['/v1/credits', { kind: 'credits' }],
    ['/v1/models/openai/gpt-oss-120b', { kind: 'model', model: 'openai/gpt-oss-120b' }],
    ['/v1/models/openai%2Fgpt-oss-120b', { kind: 'model', model: 'openai/gpt-oss-120b' }],
    ['/v1/models/%E0%A4%A', { kind: 'model', model: '%E0%A4%A' }],
    ['/v1/usage', { kind: 'usage' }],
    ['/v1/invoices', { kind: 'invoices' }],
    ['/v1/invoices/2026-11', { kind: 'invoice', periodKey: '2026-11' }],
    ['/api/settings/billing/usage-v2', { kind: 'hub-usage' }],
    ['/v1/receipts/r-1', { kind: 'receipt', requestId: 'r-1' }],
  ])('finds %s', (path, route) => {
    expect(findRoute(path)).toEqual(route)
  })

  it.each(['/v1/chat/completions/', '//v1/chat//completions', '/v1//chat/completions//'])(
    'finds the metered route behind %s too, so that no spelling of it goes past the meter',
    (path) => {
      expect(findRoute(path)).toEqual({ kind: 'inference', dialect: 'openai-chat' })
    },
  )

  it.each([
    '/',
    '',
    '/v1',
    '/v2/chat/completions',
    '/v1/chat',
    '/v1/chat/completions/x',
    '/v1/files',
    '/models',
    '/models/',
    '/together/v1/files',
    '/a/b/v1/embeddings',
  ])('leaves %j to the host', (path) => {
    expect(findRoute(path)).toBeUndefined()
  })

  it.each(['constructor', '__proto__', 'toString'])('leaves %j to the host, which is no path', (path) => {
    expect(findRoute(path)).toBeUndefined()
  })
})

describe('methodsOf', () => {
  it('lets what has a body be posted and everything else be read', () => {
    expect(methodsOf({ kind: 'inference', dialect: 'openai-chat' })).toEqual(['POST'])
    expect(methodsOf({ kind: 'token-count', dialect: 'anthropic-messages' })).toEqual(['POST'])
    expect(methodsOf({ kind: 'models' })).toEqual(['GET', 'HEAD'])
    expect(methodsOf({ kind: 'credits' })).toEqual(['GET', 'HEAD'])
  })

  it('lets responses that are not stored be asked for in every way, so that each is told why', () => {
    expect(methodsOf({ kind: 'stored-response' })).toEqual(['GET', 'HEAD', 'DELETE', 'POST'])
  })
})
