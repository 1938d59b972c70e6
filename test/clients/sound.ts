/** A WAV file of so many 8-bit samples of silence at 8 kHz. */
export function wav(samples: number): Buffer<ArrayBuffer> {
  const file = Buffer.alloc(44 + samples, 0x80)
  file.fill(0, 0, 44)
  file.write('RIFF', 0, 'latin1')
  file.write('WAVEfmt ', 8, 'latin1')
  file.writeUInt32LE(16, 16)
  file.writeUInt16LE(1, 20)
  file.writeUInt16LE(1, 22)
  file.writeUInt32LE(8_000, 24)
  file.writeUInt32LE(8_000, 28)
  file.writeUInt16LE(1, 32)
  file.writeUInt16LE(8, 34)
  file.write('data', 36, 'latin1')
  file.writeUInt32LE(samples, 40)
  return file
}

export const oneSecondOfSound: Buffer<ArrayBuffer> = wav(8_000)
