// Accounts and keys of the demo. In your app these are your users and your plans.

/** One account for each plan, and the keys that pay from it. */
export const demoAccounts = [
  { accountId: 'demo-free', planId: 'free', keys: ['hf_demo_free'] },
  { accountId: 'demo-pro', planId: 'pro', keys: ['hf_demo_pro'] },
  { accountId: 'demo-team', planId: 'team', seats: 2, keys: ['hf_demo_team_ada', 'hf_demo_team_bob'] },
  { accountId: 'demo-byok', planId: 'free', keys: ['hf_demo_byok'] },
]

/** Who pays, by key. Members of a team share its account. */
export const demoKeys = {
  __proto__: null,
  hf_demo_free: { accountId: 'demo-free' },
  hf_demo_pro: { accountId: 'demo-pro' },
  hf_demo_team_ada: { accountId: 'demo-team', memberId: 'ada' },
  hf_demo_team_bob: { accountId: 'demo-team', memberId: 'bob' },
  hf_demo_byok: { accountId: 'demo-byok' },
}

/** The account that pays providers with keys of its own: its requests are neither held nor charged. */
export const ownKeyAccountId = 'demo-byok'

/** Gives that account a key at each simulated provider. */
export async function bringOwnKeys(gateway, { simulated }) {
  for (const providerId of ['cerebras', 'together', 'replicate']) {
    const key = { accountId: ownKeyAccountId, providerId }
    if (simulated.includes(providerId))
      await gateway.providerKeys.set({ ...key, apiKey: `own-key-at-${providerId}` })
    else await gateway.providerKeys.remove(key)
  }
}
