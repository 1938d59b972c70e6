import { expect, it } from 'vitest'
import { z } from 'zod'
import { readReply } from './read-reply.ts'

const shape = z.looseObject({ text: z.string() })
const read = (text: string) => readReply(shape, { bytes: Buffer.from(text), contentType: 'application/json' })

it('gives a reply with all its members', () => {
  expect(read('{"text":"a","more":1}')).toEqual({ text: 'a', more: 1 })
})

it.each(['{"text":"a","avg_logprob":NaN}', '{"text":1}', '[]', '', '{'])('gives nothing for %j', (text) => {
  expect(read(text)).toBeUndefined()
})
