import type { Context } from '../context.ts'
import { KeyferryError } from '../errors.ts'
import { CloudError } from '../kms/provider.ts'
import type { CopyStore } from '../store.ts'
import { checkDeparture, type Job, type Outcome } from './job.ts'
import { nextRemovalStep } from './removal.ts'
import { recoveryLeft } from './restore.ts'

const settlePollMs = 1_000
const mostDeletes = 3

/**
 * Drives a copy that should be absent until a look at the cloud shows nothing of it, and forgets it. Throws `refused` where the key
 * there is not (only) ours, or what the cloud answered.
 */
export async function withdraw(
  job: Job,
  { context, store }: { context: Context; store: { copies: CopyStore } },
): Promise<Outcome> {
  const { copy, lease, connection } = job
  const versions = await store.copies.versions(copy.id)
  if (versions.every((row) => row.sentAt === null && row.remoteVersion === null)) {
    // Nothing of it was ever sent: no cloud needs to be asked.
    await store.copies.drop(lease, context.now())
    return { again: false }
  }
  let { recoverySentAt } = copy
  for (let deletes = 0; ; ) {
    await job.keepLease()
    await connection.canListVersions()
    const remote = await connection.describe(copy.remoteName)
    recoverySentAt = await recoveryLeft(store, lease, remote, recoverySentAt)
    const step = nextRemovalStep({
      versions,
      remoteName: copy.remoteName,
      remote,
      now: context.now(),
      lostAfterMs: job.lostAfterMs,
      recoveryMs: job.recoveryMs,
      recoverySentAt,
      deleteSentAt: copy.deleteSentAt,
    })
    if (step.do === 'stop') throw new KeyferryError('refused', step.why)
    if (step.do === 'wait') return { again: true, at: step.until, why: step.why }
    if (step.do === 'gone') {
      await store.copies.drop(lease, context.now())
      return { again: false }
    }
    if (deletes++ >= mostDeletes) {
      return {
        again: true,
        at: context.now() + settlePollMs,
        why: `"${copy.remoteName}" was deleted but is still seen in the KMS`,
      }
    }
    await job.keepLease()
    const first = copy.deleteSentAt === null && deletes === 1
    const sentAt = context.now()
    await store.copies.deleteSent(lease, sentAt)
    try {
      checkDeparture(context, sentAt)
      await connection.remove(copy.remoteName)
    } catch (error) {
      // A delete that may have had its effect, also an earlier one, cannot be answered as refused: the removal goes on.
      if (first && error instanceof CloudError && error.effect === 'none') await store.copies.deleteSent(lease, null)
      throw error
    }
  }
}
