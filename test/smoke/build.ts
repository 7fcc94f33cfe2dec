import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { repository } from './commands.ts'

/** Before all: makes the binary from the sources as they are. */
export default function build(): void {
  const { status } = spawnSync(process.execPath, [join(repository, 'scripts/build-binary.ts')], { stdio: 'inherit' })
  if (status !== 0) throw new Error('the binary could not be made')
}
