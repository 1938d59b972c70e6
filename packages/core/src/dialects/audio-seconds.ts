import { formatDecimal } from '../money.ts'

/**
 * How long a file of audio plays, in seconds rounded up to a thousandth, as decimal text: read from the sound itself, not from
 * what a header promises. `undefined` for a kind of file of which that cannot be said without decoding it.
 *
 * WAV has as many samples as bytes. MP3 is a row of frames, each with its own length. Both are what a provider will hear, so a
 * bound on cost can be built on them; files of other kinds can hold hours of silence in a few bytes.
 */
export function audioSecondsOf(bytes: Buffer): string | undefined {
  const seconds = isWav(bytes) ? wavSeconds(bytes) : mp3Seconds(bytes)
  if (seconds === undefined) return undefined
  const milliseconds = (seconds.samples * 1000n + seconds.rate - 1n) / seconds.rate
  return formatDecimal({ digits: milliseconds, scale: 3 })
}

/** A length as an exact fraction. */
interface Samples {
  readonly samples: bigint
  readonly rate: bigint
}

function isWav(bytes: Buffer): boolean {
  return bytes.toString('latin1', 0, 4) === 'RIFF' && bytes.toString('latin1', 8, 12) === 'WAVE'
}

/** Plain samples only: compressed ones in a WAV file play longer than they look. */
const plainFormats: readonly number[] = [1, 3]
const plainBits: readonly number[] = [8, 16, 24, 32, 64]

/** Beyond these no sound is recorded, and a few seconds would hide hours for whoever reads the file otherwise. */
const rateMax = 768_000
const channelsMax = 32

/** All bytes behind the first header count as sound: streamed files say nothing, or too little, of their length. */
function wavSeconds(bytes: Buffer): Samples | undefined {
  let byteRate: number | undefined
  for (let at = 12; at + 8 <= bytes.length; ) {
    const name = bytes.toString('latin1', at, at + 4)
    const size = bytes.readUInt32LE(at + 4)
    if (name === 'fmt ') {
      // Of two descriptions some readers take the first and some the last.
      if (byteRate !== undefined) return undefined
      byteRate = byteRateAt(bytes, at)
      if (byteRate === undefined) return undefined
    }
    if (name === 'data') {
      return byteRate === undefined
        ? undefined
        : { samples: BigInt(bytes.length - at - 8), rate: BigInt(byteRate) }
    }
    at += 8 + size + (size % 2)
  }
  return undefined
}

/** Bytes of a second, where everything that a description says of them agrees: readers differ in what they go by. */
function byteRateAt(bytes: Buffer, at: number): number | undefined {
  if (at + 24 > bytes.length || !plainFormats.includes(bytes.readUInt16LE(at + 8))) return undefined
  const channels = bytes.readUInt16LE(at + 10)
  const rate = bytes.readUInt32LE(at + 12)
  const bits = bytes.readUInt16LE(at + 22)
  if (!plainBits.includes(bits) || channels > channelsMax || rate > rateMax) return undefined
  const sampleBytes = (channels * bits) / 8
  const agrees =
    bytes.readUInt16LE(at + 20) === sampleBytes && bytes.readUInt32LE(at + 16) === rate * sampleBytes
  return agrees && rate * sampleBytes > 0 ? rate * sampleBytes : undefined
}

/** Kilobits a second by index, of MPEG-1 Layer III and of the lower rates of MPEG-2 and 2.5 (ISO 11172-3, 13818-3). */
const bitRates = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320]
const lowBitRates = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]
const sampleRates = [44_100, 48_000, 32_000]

interface Frame {
  readonly length: number
  readonly samples: number
  readonly rate: number
}

function mp3Seconds(bytes: Buffer): Samples | undefined {
  let at = startOfFrames(bytes)
  let samples = 0
  let rate: number | undefined
  for (let frame = frameAt(bytes, at); frame !== undefined; frame = frameAt(bytes, at)) {
    // The slowest rate of a file that mixes them makes it longest.
    rate = Math.min(rate ?? frame.rate, frame.rate)
    samples += frame.samples
    at += frame.length
  }
  if (rate === undefined || !isTail(bytes, at)) return undefined
  return { samples: BigInt(samples), rate: BigInt(rate) }
}

/** Behind the tags in front, which say their length in seven bits of each byte: with an eighth they are no tags to any reader. */
function startOfFrames(bytes: Buffer): number {
  if (bytes.toString('latin1', 0, 3) !== 'ID3' || bytes.length < 10) return 0
  let size = 0
  for (const byte of bytes.subarray(6, 10)) {
    if (byte > 0x7f) return 0
    size = size * 128 + byte
  }
  return 10 + size
}

function frameAt(bytes: Buffer, at: number): Frame | undefined {
  if (at + 4 > bytes.length) return undefined
  const header = bytes.readUInt32BE(at)
  const version = (header >>> 19) & 3
  const isLayer3 = ((header >>> 17) & 3) === 1
  const bitRateIndex = (header >>> 12) & 15
  const baseRate = sampleRates[(header >>> 10) & 3]
  if (header >>> 21 !== 0x7ff || version === 1 || !isLayer3 || baseRate === undefined) return undefined
  const isFirst = version === 3
  const kilobits = (isFirst ? bitRates : lowBitRates)[bitRateIndex]
  if (kilobits === undefined || kilobits === 0) return undefined
  const rate = isFirst ? baseRate : version === 2 ? baseRate / 2 : baseRate / 4
  const samples = isFirst ? 1152 : 576
  const padding = (header >>> 9) & 1
  return { length: Math.floor((samples * 125 * kilobits) / rate) + padding, samples, rate }
}

const id3Bytes = 128
const apeHeaderBytes = 32

/** Many readers do not know APE tags and look for frames inside them: in this much there is no room for more than seconds. */
const apeBytesMax = 4096

/**
 * What may follow the last frame: nothing, a piece of one more, or tags of exactly the length that tags have. Anything else may be
 * sound that was not understood, and readers look for the next frame behind whatever they do not know.
 */
function isTail(bytes: Buffer, at: number): boolean {
  if (at >= bytes.length || isId3End(bytes, at)) return true
  if (bytes.toString('latin1', at, at + 8) !== 'APETAGEX' || at + apeHeaderBytes > bytes.length) return false
  const apeBytes = apeHeaderBytes + bytes.readUInt32LE(at + 12)
  const end = at + apeBytes
  return apeBytes <= apeBytesMax && (end === bytes.length || isId3End(bytes, end))
}

function isId3End(bytes: Buffer, at: number): boolean {
  return bytes.length - at === id3Bytes && bytes.toString('latin1', at, at + 3) === 'TAG'
}
