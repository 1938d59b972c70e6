import { createHash } from 'node:crypto'

/** The keys of one account. All have one hash tag, so a cluster keeps them in one slot. */
export interface AccountKeys {
  readonly account: string
  readonly due: string
  readonly keep: string
  readonly journal: string
}

/** The keys of one part of the index. All have one hash tag. */
export interface BucketKeys {
  readonly accounts: string
  readonly waiting: string
  readonly noted: string
  readonly documents: string
  readonly documentKeys: string
}

export interface KeyNames {
  of(accountId: string): AccountKeys
  /** The key of a counter of an account, in its slot. */
  countOf(accountId: string, counter: string): string
  bucketOf(id: string): BucketKeys
  readonly buckets: readonly BucketKeys[]
}

/**
 * How many parts the index has, for ever: a part is one slot of a cluster, and which of them an id is in must never change.
 */
const bucketCount = 16

/** @throws Error when the prefix has other characters than letters, digits and `_ - .`. */
export function keyNames(prefix: string): KeyNames {
  if (!/^[\w.-]{1,64}$/.test(prefix)) {
    throw new Error(`The prefix ${JSON.stringify(prefix)} must be 1 to 64 letters, digits, or any of _ - .`)
  }
  const buckets = Array.from({ length: bucketCount }, (_, index) => {
    const tag = `{${prefix}/index:${index}}`
    return {
      accounts: `${tag}:accounts`,
      waiting: `${tag}:waiting`,
      noted: `${tag}:noted`,
      documents: `${tag}:documents`,
      documentKeys: `${tag}:document-keys`,
    }
  })
  const tagOf = (accountId: string) => `{${prefix}:${escaped(accountId)}}`
  return {
    of(accountId) {
      const tag = tagOf(accountId)
      return {
        account: `${tag}:account`,
        due: `${tag}:due`,
        keep: `${tag}:keep`,
        journal: `${tag}:journal`,
      }
    },
    countOf: (accountId, counter) => `${tagOf(accountId)}:count:${counter}`,
    bucketOf(id) {
      const hash = createHash('sha1').update(id).digest()
      return buckets[(hash[0] ?? 0) % bucketCount] as BucketKeys
    },
    buckets,
  }
}

/** A hash tag ends at the first closing brace. */
function escaped(accountId: string): string {
  if (!/[%}]/.test(accountId)) return accountId
  return accountId.replaceAll('%', '%25').replaceAll('}', '%7D')
}
