import { randomBytes } from 'node:crypto'

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent']

/** What the environment says, with defaults for a run that needs nothing. `--help` prints it and ends. */
export function readSettings(framework) {
  if (process.argv.includes('--help')) {
    console.log(help(framework))
    process.exit(0)
  }
  const { PORT, STORAGE, SESSION_SECRET, ALLOWED_ORIGIN, LOG_LEVEL, FAREBOX_KEY } = process.env
  return {
    framework,
    port: readPort(PORT),
    storage: STORAGE ?? 'memory',
    sessionSecret: SESSION_SECRET ?? randomBytes(32).toString('base64'),
    allowedOrigin: ALLOWED_ORIGIN ?? 'http://localhost:3000',
    logLevel: readLogLevel(LOG_LEVEL),
    encryptionKey: FAREBOX_KEY ?? randomBytes(32),
  }
}

function readPort(text = '8787') {
  const port = Number(text)
  if (/^\d+$/.test(text) && port < 65_536) return port
  throw new RangeError(`PORT is "${text}". Use a number from 1 to 65535, or 0 for any that is free.`)
}

function readLogLevel(text = 'info') {
  if (logLevels.includes(text)) return text
  throw new RangeError(`LOG_LEVEL is "${text}". Use ${logLevels.join(', ')}.`)
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
