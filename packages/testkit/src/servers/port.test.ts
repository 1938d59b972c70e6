import { expect, it } from 'vitest'
import { claimPort } from './port.ts'

it('gives no port twice, so that a stopped server has no successor at its port', async () => {
  const ports = await Promise.all(Array.from({ length: 300 }, claimPort))
  expect(new Set(ports).size).toBe(300)
  expect(ports.every((port) => port >= 10_000 && port < 20_000)).toBe(true)
})
