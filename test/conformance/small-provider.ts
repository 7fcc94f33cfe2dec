import { createPublicKey } from 'node:crypto'
import { invalid } from '../../src/core/errors.ts'
import { CloudError, type Connection, type Provider, type ReadVersion } from '../../src/core/kms/provider.ts'
import type { CallKind, Mishap } from './harness.ts'

/** A cloud that is a map. */
export class SmallCloud {
  readonly keys = new Map<string, ReadVersion[]>()
  listing = true
  mishaps = new Map<CallKind, Mishap>()

  async act<T>(call: CallKind, effect: () => T): Promise<T> {
    const mishap = this.mishaps.get(call)
    if (mishap === 'refused' || mishap === 'throttled') throw new CloudError(mishap, `the small cloud said: ${mishap}`)
    if (mishap !== 'lost-before') {
      const result = effect()
      if (!mishap) return result
    }
    throw new CloudError('unavailable', 'no answer', { effect: call === 'describe' ? 'none' : 'unknown' })
  }
}

/** The smallest provider that keeps the contract: sixty lines, to show that the contract is not Azure in disguise. */
export function smallProvider(cloud: SmallCloud): Provider {
  let versions = 0
  const find = (name: string, id: string) => cloud.keys.get(name)?.find(({ remoteVersion }) => remoteVersion === id)
  const connection: Connection = {
    canListVersions: async () => cloud.listing,
    importVersion: async ({ remoteName, importId, enabled, purposes, material }) => {
      await material.use(() => undefined)
      const pem = material.publicKey
      const publicKey = pem === null ? null : createPublicKey(pem).export({ type: 'spki', format: 'der' })
      const made = { remoteVersion: `v${++versions}`, importId, enabled, publicKey, purposes }
      return await cloud.act('import', () => {
        cloud.keys.set(remoteName, [...(cloud.keys.get(remoteName) ?? []), made])
        return { ...made }
      })
    },
    setVersionEnabled: (name, id, enabled) =>
      cloud.act('set-enabled', () => {
        const found = find(name, id)
        if (!found) throw new CloudError('refused', 'there is no such version')
        found.enabled = enabled
      }),
    describe: (name) =>
      cloud.act('describe', () => {
        const all = (cloud.keys.get(name) ?? []).map((one) => ({ ...one }))
        const latest = all.at(-1)
        if (!latest) return { state: 'absent' }
        return { state: 'present', latest, ...(cloud.listing ? { versions: all } : {}) }
      }),
    readVersion: async (name, id) => find(name, id),
    remove: (name) => cloud.act('remove', () => void cloud.keys.delete(name)),
  }
  return {
    name: 'small',
    matrix: {
      'ecdsa-p256': { hsm: { purposes: ['sign', 'verify'] } },
      'aes256-gcm96': { hsm: { purposes: ['encrypt'] } },
    },
    callTimeoutMs: 1_000,
    settleMs: 1,
    newestAfterMs: 0,
    recoveryMs: 0,
    parse: ({ keyCollection }) => {
      if (keyCollection !== 'map') throw invalid('key_collection is not known: allowed is map')
      return { collection: 'small://map', warnings: [] }
    },
    open: async () => connection,
    checkRemoteName: (name) => {
      if (!/^[\w.-]+$/.test(name)) throw invalid('a name has letters, digits, "_", "." and "-"')
    },
    remoteBaseName: (name) => name,
  }
}
