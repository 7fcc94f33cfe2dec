import { CloudError } from '../kms/provider.ts'
import type { CopyStore } from '../store.ts'
import type { Job } from './job.ts'
import type { Step } from './plan.ts'

type Change = Extract<Step, { do: 'set-enabled' }>['changes'][number]

/**
 * Enables and disables versions, and records each. One that is not there keeps no other from it: nobody can use it, which is all that
 * disabling is for; that it could not be enabled is thrown at the end, as the cloud said it. Throws what the cloud answers.
 */
export async function setStates(
  { lease, connection, keepLease }: Job,
  { copies }: { copies: CopyStore },
  remoteName: string,
  changes: readonly Change[],
): Promise<void> {
  // Where versions cannot be listed, what is recorded is all that is known: an answer may be lost, or the process.
  await copies.settingState(
    lease,
    changes.map(({ version }) => version),
  )
  const failures: CloudError[] = []
  for (const { version, remoteVersion, enabled } of changes) {
    await keepLease()
    try {
      await connection.setVersionEnabled(remoteName, remoteVersion, enabled)
    } catch (error) {
      if (!(error instanceof CloudError && error.kind === 'refused')) throw error
      if (await connection.readVersion(remoteName, remoteVersion)) throw error
      if (enabled) {
        failures.push(error)
        continue
      }
    }
    await copies.seen(lease, version, { enabled })
  }
  if (failures[0]) throw failures[0]
}
