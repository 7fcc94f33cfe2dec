import { CloudError, type WrappingKeyRegister, type WrappingKeyRotation } from '../../core/kms/provider.ts'
import { attestationText } from './attestation.ts'
import type { Deadline } from './client.ts'
import { freshKekName, type Kek, type KekKeeper } from './kek.ts'
import type { KekVault } from './kek-vault.ts'
import type { KeyedLock } from './keyed-lock.ts'

export interface KekRotationOptions {
  vault: KekVault
  keeper: KekKeeper
  register: WrappingKeyRegister
  /** Whether the KMS names its own key, which is nobody else's to replace. */
  named: boolean
  lock: KeyedLock
  /** When a vault's key was last rotated, in ms since 1970; shared by all connections, like the lock. */
  rotatedAt: Map<string, number>
  random: (bytes: number) => Buffer
  now: () => number
}

/** The service allows 10 creations in 10 s, and every former key stays in the vault: nobody rotates in a loop. */
const againAfterMs = 60_000

/**
 * Puts a new key encryption key in the place of the present one, for every KMS on this vault. It is made before the old one is given
 * up, so that somebody who may not make keys in the vault changes nothing for others; a crash in between leaves one that is never
 * used. The old one is disabled where that is permitted, so that nothing that was wrapped under it can be imported any more, and
 * never deleted. Throws `CloudError`.
 */
export async function rotateKek(options: KekRotationOptions, time: Deadline): Promise<WrappingKeyRotation> {
  if (options.named) {
    throw new CloudError(
      'refused',
      'this KMS names its own key encryption key: make another one in the vault, and write its id and fingerprint into credentials ' +
        '(kek_id, kek_fingerprint)',
    )
  }
  return await options.lock.run(options.vault.collection, () => rotate(options, time))
}

async function rotate(options: KekRotationOptions, time: Deadline): Promise<WrappingKeyRotation> {
  const { vault, keeper, register, rotatedAt, random, now } = options
  const old = register.current(vault.collection)
  // Who may not even read it learns nothing of when it was replaced.
  if (old?.state === 'pinned') await vault.lookAtPinned(old, time)
  const since = now() - (rotatedAt.get(vault.collection) ?? Number.NEGATIVE_INFINITY)
  if (since < againAfterMs) {
    const [ago, wait] = [since, againAfterMs].map((ms) => Math.floor(ms / 1000))
    throw new CloudError(
      'refused',
      `the key encryption key of this vault was replaced ${ago} s ago: wait until that is ${wait} s`,
    )
  }
  if (old?.state === 'pinned') {
    const name = freshKekName(random)
    const seen = vault.inspect(await vault.create(name, time))
    if (typeof seen === 'string')
      throw new CloudError('refused', `the key encryption key ${name} that was made in the vault ${seen}`)
    await register.retire(old.id, 'was replaced on request')
    const row = await register.plan(vault.collection, name)
    // Where another process was first, its key counts for both, and ours is never used.
    if (row.name === name) await register.pin(row.id, seen.keyId, seen.fingerprint)
  }
  const kek = await keeper.secure(time)
  rotatedAt.set(vault.collection, now())
  return await conclude(options, kek, old?.keyId ?? null, time)
}

/** What can fail from here on changes nothing of the rotation: it becomes a warning. */
async function conclude(
  { vault, register }: KekRotationOptions,
  kek: Kek,
  oldId: string | null,
  time: Deadline,
): Promise<WrappingKeyRotation> {
  const warnings: string[] = []
  const warn = (what: string) => (error: unknown) => {
    if (!(error instanceof CloudError)) throw error
    warnings.push(`${what}: ${error.message}`)
    return undefined
  }
  if (oldId !== null) await vault.disable(oldId, time).catch(warn('the former key encryption key may still be enabled'))
  const attestation = await vault
    .attestation(kek.keyId, time)
    .catch(warn('the attestation of the new key encryption key was not read'))
  const { keyId, fingerprint, row } = kek
  const statement = attestation ? attestationText(attestation) : null
  if (statement && row !== null) await register.attest?.(row, statement)
  return { keyId, fingerprint, formerKeyId: oldId, attestation: statement, warnings }
}
