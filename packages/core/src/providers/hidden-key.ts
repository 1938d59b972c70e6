/** A shorter key is none, and its letters are in every text. */
const keyCharsMin = 8

/** What takes a key out of a text; nothing where there is no key. */
export function hidingOf(apiKey: string | undefined): { readonly hide?: (text: string) => string } {
  if (apiKey === undefined || apiKey.length < keyCharsMin) return {}
  return { hide: (text) => text.replaceAll(apiKey, '[key]') }
}
