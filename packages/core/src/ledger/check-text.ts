/** The longest name every store can keep, in characters. */
export const nameCharsMax = 512

/**
 * Refuses names that some store could not give back as they were: a zero character, which ends text in some, and a lone half
 * of a surrogate pair, which turns into another character. Two accounts could become one.
 *
 * @throws RangeError that says what the name is of.
 */
export function checkText(text: string, what: string): void {
  if (text.length > nameCharsMax) {
    throw new RangeError(`A ${what} has ${text.length} characters; at most ${nameCharsMax} fit.`)
  }
  if (text.includes('\0') || loneSurrogate.test(text)) {
    throw new RangeError(`A ${what} holds characters that cannot be stored.`)
  }
}

/** Whether a name could be kept by every store; one that could not was never kept. */
export function isStorable(text: string): boolean {
  return text.length <= nameCharsMax && !text.includes('\0') && !loneSurrogate.test(text)
}

const loneSurrogate = /\p{Surrogate}/u
