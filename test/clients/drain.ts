import assert from 'node:assert/strict'
import { type ClientSubject, chatModel } from './client.ts'

/** Uses the credit of `emptyKey` up, until not even a small question to the cheapest provider is paid for. */
export async function drain({ baseUrl, emptyKey }: ClientSubject): Promise<void> {
  const ask = async (content: string) => {
    const response = await fetch(`${baseUrl}/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${emptyKey}` },
      body: JSON.stringify({
        model: `${chatModel}:together`,
        messages: [{ role: 'user', content: `${content} say 1 tokens` }],
      }),
    })
    await response.arrayBuffer()
    return response.status
  }
  // Each costs a fraction of what it holds, so that smaller ones still fit when a large one does not.
  for (let letters = 400_000; letters > 0; ) {
    const status = await ask('x'.repeat(letters))
    if (status === 402) letters = Math.floor(letters / 4)
    else assert.equal(status, 200)
  }
  assert.equal(await ask(''), 402)
}
