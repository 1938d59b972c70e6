import { formatUsd } from '@farebox/core'

/** A name as it may be shown: whoever chose it must not be able to steer a terminal. */
export function shown(name: string): string {
  const escaped = JSON.stringify(name).slice(1, -1)
  return escaped.replace(/[\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '?')
}

export function dollars(amount: bigint): string {
  return `$${formatUsd(amount)}`
}

/** A value as one line of JSON: bigints as text of digits, amounts in nano-USD. */
export function jsonLine(value: unknown): string {
  return `${JSON.stringify(value, (_name, member: unknown) => (typeof member === 'bigint' ? member.toString() : member))}\n`
}

/** `1 entry`, `2 entries`, `12,345 entries`. */
export function counted(count: number | bigint, one: string, many: string = `${one}s`): string {
  return `${count.toLocaleString('en-US')} ${Number(count) === 1 ? one : many}`
}
