const slotCount = 16_384

/**
 * The slot of a key that has a hash tag, as Redis Cluster computes it: CRC16 (XMODEM) of the tag.
 * https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec, read on 2026-11-26.
 */
export function slotOf(key: string): number {
  const start = key.indexOf('{') + 1
  let crc = 0
  for (const byte of Buffer.from(key.slice(start, key.indexOf('}', start)))) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit += 1)
      crc = ((crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021) & 0xffff
  }
  return crc % slotCount
}
