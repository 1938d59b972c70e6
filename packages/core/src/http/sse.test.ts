import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeEvent, eventData, eventEnd, eventStart, lastEventEnd } from './sse.ts'

/** A text in which a line end never splits a line end: what the parts of a stream are made of. */
const lineText = fc
  .string({ unit: fc.constantFrom('a', '{', '"', ' ', ':', 'é', '🦊', '[DONE]'), maxLength: 8 })
  .filter((text) => text !== '')

const line = fc.oneof(
  { weight: 4, arbitrary: lineText.map((text) => `data: ${text}`) },
  lineText.map((text) => `data:${text}`),
  lineText.map((text) => `: ${text}`),
  fc.constantFrom('event: error', 'id: 1', ': keep-alive', 'data:'),
)

const events = fc.array(fc.array(line, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 5 })
const lineEnd = fc.constantFrom('\n', '\r\n', '\r')

/** A stream whose line ends are all of one kind, as servers write them. */
const stream = fc.tuple(events, lineEnd).map(([blocks, end]) => ({
  blocks,
  end,
  texts: blocks.map((lines) => `${lines.join(end)}${end}${end}`),
}))

/** The data of an event by the letter of the standard. */
function referenceData(lines: readonly string[]): string | undefined {
  const data = lines.filter((text) => text.startsWith('data:')).map((text) => text.slice(5).replace(/^ /, ''))
  return data.length === 0 ? undefined : data.join('\n')
}

describe('lastEventEnd', () => {
  it('finds the end of the last whole event, wherever the stream is cut', () => {
    fc.assert(
      fc.property(stream, fc.nat(), ({ texts }, cut) => {
        const bytes = Buffer.from(texts.join(''))
        const at = cut % (bytes.length + 1)
        let whole = 0
        for (const text of texts) {
          const next = whole + Buffer.byteLength(text)
          if (next > at) break
          whole = next
        }
        expect(lastEventEnd(bytes.subarray(0, at))).toBe(whole)
      }),
    )
  })

  it('gives back every event exactly once however the bytes are cut into chunks', () => {
    fc.assert(
      fc.property(
        stream,
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
        ({ blocks, texts }, sizes) => {
          const bytes = Buffer.from(texts.join(''))
          const seen: (string | undefined)[] = []
          let carried = Buffer.alloc(0)
          for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
            const size = sizes[turn % sizes.length] ?? 1
            const chunk = Buffer.concat([carried, bytes.subarray(at, at + size)])
            at += size
            const whole = lastEventEnd(chunk, carried.length)
            for (let from = 0; from < whole; ) {
              const end = eventEnd(chunk, from)
              seen.push(eventData(chunk.subarray(from, end)))
              from = end
            }
            carried = chunk.subarray(whole)
          }
          expect(carried).toHaveLength(0)
          expect(seen).toEqual(blocks.map(referenceData))
        },
      ),
    )
  })

  it.each([
    ['', 0],
    ['\n', 0],
    ['data: a', 0],
    ['data: a\n', 0],
    ['data: a\r\n', 0],
    ['data: a\r\n\r', 0],
    ['data: a\n\n', 9],
    ['data: a\r\r', 9],
    ['data: a\r\n\r\n', 11],
    ['data: a\n\r\n', 10],
    ['data: a\r\r\n', 10],
    ['data: a\n\ndata: b', 9],
    ['data: a\n\ndata: b\n', 9],
  ])('in %j is %i', (text, end) => {
    expect(lastEventEnd(Buffer.from(text))).toBe(end)
  })
})

describe('eventStart and eventEnd', () => {
  it('give the bounds of the event around any place in its lines', () => {
    fc.assert(
      fc.property(stream, fc.nat(), fc.nat(), fc.nat(), ({ blocks, end, texts }, which, row, column) => {
        const index = which % texts.length
        const start = Buffer.byteLength(texts.slice(0, index).join(''))
        const lines = blocks[index] ?? []
        const at = row % lines.length
        const before = lines.slice(0, at).reduce((sum, text) => sum + Buffer.byteLength(text + end), start)
        const place = before + (column % Buffer.byteLength(lines[at] ?? ''))
        const bytes = Buffer.from(texts.join(''))
        expect(eventStart(bytes, place)).toBe(start)
        expect(eventEnd(bytes, place)).toBe(start + Buffer.byteLength(texts[index] ?? ''))
      }),
    )
  })

  it('reach to the ends of the bytes when blank lines are missing', () => {
    const bytes = Buffer.from('event: error\ndata: {}')
    expect(eventStart(bytes, 15)).toBe(0)
    expect(eventEnd(bytes, 15)).toBe(bytes.length)
  })

  it('do not count blank lines before the first event as part of it', () => {
    expect(eventStart(Buffer.from('\n\ndata: a\n\n'), 4)).toBe(2)
  })
})

describe('eventData', () => {
  it.each([
    ['data: a\n\n', 'a'],
    ['data:a\n\n', 'a'],
    ['data:  a\n\n', ' a'],
    ['data: a\ndata: b\n\n', 'a\nb'],
    ['event: x\r\ndata: a\r\nid: 1\r\n\r\n', 'a'],
    ['data: a\rdata:\r\r', 'a\n'],
    [': ping\n\n', undefined],
    ['event: done\n\n', undefined],
    ['database: a\n\n', undefined],
  ])('of %j is %j', (text, data) => {
    expect(eventData(Buffer.from(text))).toBe(data)
  })
})

it('writes an event that reads back as its data', () => {
  const bytes = encodeEvent('{"a":"é"}')
  expect(eventData(bytes)).toBe('{"a":"é"}')
  expect(lastEventEnd(bytes)).toBe(bytes.length)
})
