import { describe, expect, it } from 'vitest'
import { audioSecondsOf } from './audio-seconds.ts'

interface Wav {
  readonly format?: number
  readonly channels?: number
  readonly rate?: number
  readonly bits?: number
  readonly data?: number
  readonly before?: Buffer
  readonly saysSize?: number
  readonly byteRate?: number
  readonly blockAlign?: number
}

function fmt({ format = 1, channels = 1, rate = 16_000, bits = 16, ...told }: Wav = {}): Buffer {
  const { blockAlign = channels * Math.ceil(bits / 8), byteRate = rate * blockAlign } = told
  const chunk = Buffer.alloc(24)
  chunk.write('fmt ', 0, 'latin1')
  chunk.writeUInt32LE(16, 4)
  chunk.writeUInt16LE(format, 8)
  chunk.writeUInt16LE(channels, 10)
  chunk.writeUInt32LE(rate, 12)
  chunk.writeUInt32LE(byteRate, 16)
  chunk.writeUInt16LE(blockAlign, 20)
  chunk.writeUInt16LE(bits, 22)
  return chunk
}

function wav({ data = 48_000, before, saysSize, ...described }: Wav = {}): Buffer {
  const head = Buffer.alloc(8)
  head.write('data', 0, 'latin1')
  head.writeUInt32LE(saysSize ?? data, 4)
  const riff = Buffer.from('RIFF\0\0\0\0WAVE', 'latin1')
  return Buffer.concat([
    riff,
    fmt(described),
    ...(before === undefined ? [] : [before]),
    head,
    Buffer.alloc(data),
  ])
}

/** A frame of MPEG-2 Layer III at 8 kbit/s and 16 kHz, 36 bytes and 36 ms; or of MPEG-1 at 128 kbit/s and 44.1 kHz. */
const lowFrame = Buffer.concat([Buffer.from([0xff, 0xf3, 0x18, 0xc4]), Buffer.alloc(32)])
const frame = Buffer.concat([Buffer.from([0xff, 0xfb, 0x90, 0x00]), Buffer.alloc(413)])
const frames = (count: number, each = lowFrame) => Buffer.concat(Array(count).fill(each))

describe('how long a WAV file plays', () => {
  it.each<[string, Wav, string]>([
    ['is its bytes by the bytes of a second', {}, '1.500'],
    ['counts channels', { channels: 2 }, '0.750'],
    ['counts floats', { format: 3, bits: 32 }, '0.750'],
    ['is rounded up', { data: 1 }, '0.001'],
    ['is nothing without samples', { data: 0 }, '0.000'],
    ['does not believe a length that is too small', { saysSize: 2 }, '1.500'],
    ['does not believe the length of a file that was streamed', { saysSize: 0xffffffff }, '1.500'],
    ['steps over what is not sound', { before: Buffer.from('LIST\x03\0\0\0abc\0', 'latin1') }, '1.500'],
  ])('%s', (_rule, file, seconds) => {
    expect(audioSecondsOf(wav(file))).toBe(seconds)
  })

  it.each<[string, Buffer]>([
    ['compressed', wav({ format: 0x11 })],
    ['without a rate', wav({ rate: 0 })],
    ['cut off in its head', wav().subarray(0, 30)],
    ['described twice', wav({ rate: 8_000, before: fmt({ rate: 16_000 }) })],
    ['described with bytes a second that do not agree', wav({ byteRate: 8_000 })],
    ['described with bytes a sample that do not agree', wav({ blockAlign: 1 })],
    ['of a size of samples that no sound has', wav({ bits: 20 })],
    ['of a rate that no sound has', wav({ rate: 4_000_000 })],
    ['of more channels than any sound has', wav({ channels: 4_000 })],
  ])('is not known where it is %s', (_case, file) => {
    expect(audioSecondsOf(file)).toBeUndefined()
  })
})

/** An APE tag, version 2, with a header: its size counts the items and the footer. */
function apeTag(itemBytes: number): Buffer {
  const edge = Buffer.alloc(32)
  edge.write('APETAGEX', 0, 'latin1')
  edge.writeUInt32LE(2000, 8)
  edge.writeUInt32LE(itemBytes + 32, 12)
  return Buffer.concat([edge, Buffer.alloc(itemBytes), edge])
}

describe('how long an MP3 file plays', () => {
  it('is the sum of its frames', () => {
    expect(audioSecondsOf(frames(1000))).toBe('36.000')
    expect(audioSecondsOf(frames(100, frame))).toBe('2.613')
  })

  it('does not count tags in front and behind, nor a last piece of a frame', () => {
    const tag = Buffer.concat([Buffer.from([0x49, 0x44, 0x33, 4, 0, 0, 0, 0, 1, 2]), Buffer.alloc(130)])
    expect(audioSecondsOf(Buffer.concat([tag, frames(10), Buffer.from('TAG'), Buffer.alloc(125)]))).toBe(
      '0.360',
    )
    expect(audioSecondsOf(frames(10).subarray(0, 355))).toBe('0.360')
  })

  it('is not known where a tag is longer than a tag: sound may follow it', () => {
    const afterTag = (tag: string | Buffer, more: Buffer) =>
      audioSecondsOf(Buffer.concat([frames(10), Buffer.from(tag as string), more]))
    expect(afterTag('TAG', Buffer.concat([Buffer.alloc(125), frames(1000)]))).toBeUndefined()
    expect(afterTag('TAG', frames(1000))).toBeUndefined()
    expect(afterTag('APETAGEX', frames(1000))).toBeUndefined()
    expect(afterTag(apeTag(100), frames(1000))).toBeUndefined()
    expect(afterTag(apeTag(100_000), Buffer.alloc(0))).toBeUndefined()
    const claimsMore = apeTag(0).subarray(0, 32)
    claimsMore.writeUInt32LE(1_000_000, 12)
    expect(afterTag(claimsMore, frames(1000))).toBeUndefined()
  })

  it('is not known where the tag in front is none: its bytes may be heard', () => {
    const noTag = Buffer.concat([Buffer.from([0x49, 0x44, 0x33, 4, 0, 0, 0, 0, 0x81, 2]), frames(1000)])
    expect(audioSecondsOf(Buffer.concat([noTag.subarray(0, 140), frames(1)]))).toBeUndefined()
  })

  it('does not count a tag of the other kind behind, nor both of them', () => {
    expect(audioSecondsOf(Buffer.concat([frames(10), apeTag(100)]))).toBe('0.360')
    const both = Buffer.concat([frames(10), apeTag(100), Buffer.from('TAG'), Buffer.alloc(125)])
    expect(audioSecondsOf(both)).toBe('0.360')
  })

  it('takes the slowest rate where rates are mixed: as long as it could be', () => {
    expect(audioSecondsOf(Buffer.concat([frames(1), frames(1, frame)]))).toBe('0.108')
  })

  it('is not known where something else follows its frames, which may be sound too', () => {
    expect(audioSecondsOf(Buffer.concat([frames(10), Buffer.from('what is this?')]))).toBeUndefined()
  })
})

it.each<[string, Buffer]>([
  ['FLAC', Buffer.from('fLaC\0\0\0\x22')],
  ['Ogg', Buffer.from('OggS')],
  ['text', Buffer.from('hello')],
  ['nothing', Buffer.alloc(0)],
])('is not known of %s, which can hold any length', (_kind, file) => {
  expect(audioSecondsOf(file)).toBeUndefined()
})
