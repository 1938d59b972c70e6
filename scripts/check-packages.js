// Checks what would be published: the manifest tells the truth, and types resolve for ESM users.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const bin = join(import.meta.dirname, '../node_modules/.bin')
const packages = join(import.meta.dirname, '../packages')
const folder = mkdtempSync(join(tmpdir(), 'farebox-pack-'))
try {
  for (const name of readdirSync(packages)) {
    const directory = join(packages, name)
    const [packed] = JSON.parse(
      execFileSync('npm', ['pack', '--json', '--silent', '--pack-destination', folder], {
        cwd: directory,
        encoding: 'utf8',
      }),
    )
    const tarball = join(folder, packed.filename)
    execFileSync(join(bin, 'publint'), ['run', tarball, '--strict'], { stdio: 'inherit' })
    execFileSync(join(bin, 'attw'), [tarball, '--profile', 'esm-only'], { stdio: 'inherit' })
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
