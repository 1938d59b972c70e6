import type { Gateway, JournalEntry } from '@farebox/core'

/** How many requests of a caller are under way at once. */
export const inFlight = 24

/** A question of alice's, whole or streamed by turns. Gives the answer when all of it arrived. */
export async function askWhole(
  baseUrl: string,
  index: number,
  question: { readonly model: string; readonly max_tokens: number; readonly content: string },
): Promise<Response | undefined> {
  const { content, ...rest } = question
  const isStream = index % 2 === 0
  try {
    const response = await fetch(`${baseUrl}/chat/completions`, {
      method: 'POST',
      headers: { authorization: 'Bearer alice' },
      body: JSON.stringify({ ...rest, stream: isStream, messages: [{ role: 'user', content }] }),
    })
    const text = await response.text()
    return response.status === 200 && (!isStream || text.includes('[DONE]')) ? response : undefined
  } catch {
    return undefined
  }
}

/** Every entry of alice's journal. */
export async function* journalOf(gateway: Gateway): AsyncGenerator<JournalEntry> {
  for (let afterSeq = 0n; ; ) {
    const entries = await gateway.accounts.journal({ accountId: 'alice', afterSeq })
    yield* entries
    const last = entries.at(-1)
    if (last === undefined) return
    afterSeq = last.seq
  }
}
