import { perUnit } from '@farebox/core'
import { startSimulator } from '@farebox/testkit/simulator'

/**
 * Options for each provider: your key where there is one, else a simulator on loopback that speaks the provider's own
 * protocol and counts what it served. It is started here, unless `SIMULATOR_URL` has the address of one that runs already.
 */
export async function simulateMissing(keys) {
  const missing = Object.keys(keys).filter((provider) => !keys[provider])
  const real = Object.keys(keys).filter((provider) => keys[provider])
  const running = process.env.SIMULATOR_URL
  const simulator =
    missing.length > 0 && !running
      ? await startSimulator({ pace: { firstTokenMs: 20, tokenMs: 5 } })
      : undefined
  const url = running ?? simulator?.url
  const options = Object.fromEntries(
    Object.entries(keys).map(([provider, apiKey]) => [
      provider,
      apiKey
        ? { apiKey }
        : {
            apiKey: 'simulated',
            baseUrl: `${url}/${provider}/v1`,
            costUrl: `${url}/${provider}/billing/costs`,
          },
    ]),
  )
  return {
    ...options,
    simulated: missing,
    isSimulated: missing.length > 0,
    catalog: missing.includes('together') ? simulatedRows : [],
    notice:
      missing.length === 0
        ? 'Answers come from the real providers and cost real money.'
        : `SIMULATED: ${missing.join(', ')} run${missing.length === 1 ? 's' : ''} on this machine; answers are made up and cost nothing.${
            real.length === 0 ? '' : ` REAL: ${real.join(', ')}.`
          }`,
    close: async () => simulator?.close(),
  }
}

/** Models that only the simulated Together AI has. Your own rows look like this, with the place where you read the price. */
const simulatedRows = [
  {
    providerId: 'together',
    providerModel: 'openai/whisper-large-v3',
    model: 'openai/whisper-large-v3',
    operation: 'transcriptions',
    price: { audio_second: perUnit('0.000025') },
    limits: { audioSeconds: 4 * 3600 },
  },
].map((row) => ({ ...row, source: 'https://localhost/simulator', readOn: '2026-11-26' }))
