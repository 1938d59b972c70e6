import { startSimulator } from '@farebox/testkit/simulator'

/**
 * Options for each provider: your key where there is one, else a simulator on loopback that speaks the provider's own
 * protocol and counts what it served.
 */
export async function simulateMissing(keys) {
  const missing = Object.keys(keys).filter((provider) => !keys[provider])
  const real = Object.keys(keys).filter((provider) => keys[provider])
  const simulator =
    missing.length > 0 ? await startSimulator({ pace: { firstTokenMs: 20, tokenMs: 5 } }) : undefined
  const options = Object.fromEntries(
    Object.entries(keys).map(([provider, apiKey]) => [
      provider,
      apiKey
        ? { apiKey }
        : { apiKey: 'simulated', baseUrl: simulator.baseUrl(provider), costUrl: simulator.costUrl(provider) },
    ]),
  )
  return {
    ...options,
    simulated: missing,
    isSimulated: missing.length > 0,
    notice:
      missing.length === 0
        ? 'Answers come from the real providers and cost real money.'
        : `SIMULATED: ${missing.join(', ')} run${missing.length === 1 ? 's' : ''} on this machine; answers are made up and cost nothing.${
            real.length === 0 ? '' : ` REAL: ${real.join(', ')}.`
          }`,
    close: async () => simulator?.close(),
  }
}
