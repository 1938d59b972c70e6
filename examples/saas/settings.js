import { randomBytes } from 'node:crypto'

/** What the environment says, with defaults for a run that needs nothing. `--help` prints it and ends. */
export function readSettings(framework) {
  if (process.argv.includes('--help')) {
    console.log(help(framework))
    process.exit(0)
  }
  const { PORT, STORAGE, SESSION_SECRET, ALLOWED_ORIGIN, LOG_LEVEL, FAREBOX_KEY } = process.env
  return {
    framework,
    port: Number(PORT ?? 8787),
    storage: STORAGE ?? 'memory',
    sessionSecret: SESSION_SECRET ?? randomBytes(32).toString('base64'),
    allowedOrigin: ALLOWED_ORIGIN ?? 'http://localhost:3000',
    logLevel: LOG_LEVEL ?? 'info',
    encryptionKey: FAREBOX_KEY ?? randomBytes(32),
  }
}

function help(framework) {
  return `A product that resells inference, in ${framework}: sign-in, API keys, plans, logs, CORS, and Farebox at /ai.

  npm run build && node examples/${framework}/server.js

  PORT                  where to listen (8787)
  STORAGE               where accounts are kept (memory):
                          memory, sqlite:credits.db, postgres://user@host/database, redis://host:6379
  SESSION_SECRET        signs the sessions of users who signed in (a new one for each run)
  FAREBOX_KEY           32 bytes in base64 that encrypt provider keys of accounts (new ones for each run)
  ALLOWED_ORIGIN        where your web app runs, for CORS (http://localhost:3000)
  LOG_LEVEL             trace, debug, info, warn, error, or silent (info)
  CEREBRAS_API_KEY      use the real Cerebras instead of the simulated one
  TOGETHER_API_KEY      the same for Together AI
  REPLICATE_API_TOKEN   the same for Replicate
  SIMULATOR_URL         a simulator that runs already (one is started)`
}
