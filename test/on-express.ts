import { type Rig, type RigOptions, startRig } from '@farebox/testkit/adapter'
import { expressHost } from './express-host.ts'

/** One check with a rig of its own on Express, which is closed on every way out. */
export async function onExpress(options: RigOptions, check: (rig: Rig) => Promise<void>): Promise<void> {
  const rig = await startRig(expressHost, options)
  try {
    await check(rig)
  } finally {
    await rig.close()
  }
}
