import { hash } from 'node:crypto'

/** Remembers operation ids in little memory: may take one for another that it has seen, but never misses one. */
export interface OpIdSet {
  /** Adds an id; whether it, or one that looks the same, was there. */
  add(opId: string): boolean
}

const slotsFirst = 1024

/** 2^22 ids in 2^23 slots of eight bytes: 64 MiB. */
const idsUsually = 2 ** 22

/**
 * Keeps 48 bits of each id's hash in a table without objects: sixteen bytes an id at most, where a set of strings takes a
 * hundred. After `idsMax` ids it begins anew, so that its memory has a bound; repeats further apart than that are not seen.
 */
export function createOpIdSet(idsMax: number = idsUsually): OpIdSet {
  let slots = new Float64Array(slotsFirst)
  let used = 0

  function place(fingerprint: number, into: Float64Array): boolean {
    let slot = fingerprint % into.length
    for (; into[slot] !== 0; slot = (slot + 1) % into.length) if (into[slot] === fingerprint) return false
    into[slot] = fingerprint
    return true
  }

  function makeRoom(): void {
    if (used >= idsMax) {
      slots = new Float64Array(slotsFirst)
      used = 0
    } else if (used * 2 >= slots.length) {
      const larger = new Float64Array(slots.length * 2)
      for (const fingerprint of slots) if (fingerprint !== 0) place(fingerprint, larger)
      slots = larger
    }
  }

  return {
    add(opId) {
      makeRoom()
      const isNew = place(fingerprintOf(opId), slots)
      if (isNew) used += 1
      return !isNew
    },
  }
}

/** Zero marks an empty slot, so no id has it. */
function fingerprintOf(opId: string): number {
  return Number.parseInt(hash('sha256', opId).slice(0, 12), 16) || 1
}
