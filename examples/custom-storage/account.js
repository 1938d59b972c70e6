import { decodeValue, encodeValue } from '@farebox/core'

/** One account in memory: its head, its records, and its journal. Values are kept decoded, and never changed. */
export function newAccount() {
  return { head: null, version: 0n, records: new Map(), due: new Set(), journal: [] }
}

/** What a reducer is shown. `keys` are the records it asked for, `until` is up to when records count as due. */
export function cutOf(account, { keys, until, dueMax, now }) {
  const records = new Map()
  for (const key of keys) if (account.records.has(key)) records.set(key, account.records.get(key).value)
  const due = [...account.due]
    .map((key) => ({ key, ...account.records.get(key) }))
    .filter(({ dueAt }) => dueAt <= until)
    .sort((a, b) => a.dueAt - b.dueAt || (a.key < b.key ? -1 : 1))
  return {
    head: account.head,
    records,
    due: due.slice(0, dueMax).map(({ key, value }) => ({ key, value })),
    moreDue: due.length > dueMax,
    version: account.version,
    now,
  }
}

export function isDue(account, until) {
  return [...account.due].some((key) => account.records.get(key).dueAt <= until)
}

/**
 * A write as it goes into the log, checked as a whole before anything of it is applied.
 *
 * Throws an error named `Conflict` when a record to be created is there, RangeError for what could not be read back.
 */
export function logged(account, { head, put = [], append = [] }) {
  if (head === undefined) throw new RangeError('A write has no head.')
  for (const { key, mode } of put) {
    if (mode === 'create' && account.records.has(key)) {
      throw Object.assign(new Error(`The record "${key}" exists already.`), { name: 'Conflict' })
    }
  }
  for (const [index, { seq }] of append.entries()) {
    const expected = BigInt(account.journal.length + index + 1)
    if (seq !== expected) throw new RangeError(`Entry ${seq} comes where entry ${expected} should.`)
  }
  return {
    head: encodeValue(head),
    put: put.map(({ key, value, dueAt, keepUntil }) => [
      checkText(key),
      encodeValue(value),
      dueAt ?? null,
      keepUntil ?? null,
    ]),
    append: append.map(({ text, hash }) => [text, hash]),
  }
}

/** Applies what the log says, when it is written and when it is read again. */
export function apply(account, { head, put, append }) {
  account.head = decodeValue(head)
  account.version += 1n
  for (const [key, text, dueAt, keepUntil] of put) {
    account.records.set(key, { value: decodeValue(text), dueAt, keepUntil })
    if (dueAt === null) account.due.delete(key)
    else account.due.add(key)
  }
  for (const [text, hash] of append) {
    account.journal.push({ seq: BigInt(account.journal.length + 1), text, hash })
  }
}

/** Records past their time are forgotten, now and then: by how much the account has been written, so that a replay does too. */
export function forget(account, now) {
  if (account.version % 1024n !== 0n) return
  for (const [key, { keepUntil }] of account.records) {
    if (keepUntil !== null && keepUntil < now) account.records.delete(key)
  }
}

/** Names that would not be read back as they were could make two accounts one. */
export function checkText(text) {
  if (text.length > 512) throw new RangeError(`A name has ${text.length} characters; at most 512 fit.`)
  if (/[\0\p{Surrogate}]/u.test(text)) throw new RangeError('A name holds characters that cannot be stored.')
  return text
}
