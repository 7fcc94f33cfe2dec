import { createPublicKey, randomBytes } from 'node:crypto'
import { invalid } from '../../src/core/errors.ts'
import {
  CloudError,
  type Connection,
  type ImportRequest,
  type Provider,
  purposes,
  type ReadVersion,
  type RemoteKey,
} from '../../src/core/kms/provider.ts'

/** One call as it reached the "cloud", for tests to look at. */
export interface Call {
  call: 'import' | 'set-enabled' | 'describe' | 'read' | 'remove'
  name: string
}

type StoredVersion = ReadVersion & { created: number }

/** A cloud in memory: the smallest thing that keeps the provider contract, to show that the contract is not Azure in disguise. */
export class MemoryCloud {
  readonly keys = new Map<string, StoredVersion[]>()
  readonly calls: Call[] = []
  /** Thrown by the next calls that match, before or after their effect. */
  faults: { call: Call['call']; error: () => Error; after?: boolean; times: number }[] = []
  listPermitted = true

  act<T>(call: Call, effect: () => T): T {
    this.calls.push(call)
    const fault = this.faults.find((one) => one.call === call.call && one.times > 0)
    if (fault) fault.times -= 1
    if (fault && !fault.after) throw fault.error()
    const result = effect()
    if (fault) throw fault.error()
    return result
  }
}

/** The provider of such clouds: `key_collection` names one. */
export function memoryProvider(clouds: Map<string, MemoryCloud>, now: () => number = Date.now): Provider {
  const collection = (name: string) => `memory://${name}`
  return {
    name: 'memory',
    matrix: {
      'rsa-2048': { hsm: { purposes }, software: { purposes } },
      'ecdsa-p256': { hsm: { purposes: ['sign', 'verify'] } },
    },
    callTimeoutMs: 200,
    settleMs: 100,
    newestAfterMs: 0,
    parse: ({ keyCollection }) => {
      if (!clouds.has(keyCollection)) throw invalid(`unknown key_collection "${keyCollection}"`)
      return { collection: collection(keyCollection), warnings: [] }
    },
    checkRemoteName: (name) => {
      if (!/^[a-z0-9-]+$/.test(name)) throw invalid('a remote name has lower-case letters, digits and "-"')
    },
    remoteBaseName: (name) => name.toLowerCase().replace(/[^a-z0-9]/g, '-'),
    open: async ({ keyCollection }) => connect(clouds.get(keyCollection) ?? new MemoryCloud(), now),
  }
}

function connect(cloud: MemoryCloud, now: () => number): Connection {
  const find = (name: string, version: string) => cloud.keys.get(name)?.find((one) => one.remoteVersion === version)
  return {
    canListVersions: async () => cloud.listPermitted,
    importVersion: async (request) => {
      const publicKey = await request.material.use(() => publicKeyOf(request))
      return cloud.act({ call: 'import', name: request.remoteName }, () => {
        const { importId, enabled } = request
        const version = {
          remoteVersion: randomBytes(16).toString('hex'),
          importId,
          enabled,
          publicKey,
          created: Math.floor(now() / 1000),
        }
        cloud.keys.set(request.remoteName, [...(cloud.keys.get(request.remoteName) ?? []), version])
        return { ...version }
      })
    },
    setVersionEnabled: async (name, version, enabled) =>
      cloud.act({ call: 'set-enabled', name }, () => {
        const found = find(name, version)
        if (!found) throw new CloudError('refused', 'no such version')
        found.enabled = enabled
      }),
    describe: async (name): Promise<RemoteKey> =>
      cloud.act({ call: 'describe', name }, () => {
        const versions = cloud.keys.get(name)
        const latest = versions?.at(-1)
        if (!versions || !latest) return { state: 'absent' }
        return {
          state: 'present',
          latest: { ...latest },
          ...(cloud.listPermitted ? { versions: versions.map((one) => ({ ...one })) } : {}),
        }
      }),
    readVersion: async (name, version) => cloud.act({ call: 'read', name }, () => find(name, version)),
    remove: async (name) => cloud.act({ call: 'remove', name }, () => void cloud.keys.delete(name)),
  }
}

function publicKeyOf({ material }: ImportRequest): Buffer | null {
  return material.publicKey === null
    ? null
    : createPublicKey(material.publicKey).export({ type: 'spki', format: 'der' })
}
