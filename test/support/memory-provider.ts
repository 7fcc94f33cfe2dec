import { createPublicKey, randomBytes } from 'node:crypto'
import { invalid } from '../../src/core/errors.ts'
import {
  CloudError,
  type Connection,
  type ImportRequest,
  type KmsSettings,
  type Provider,
  purposes,
  type ReadVersion,
  type RemoteKey,
  type RemoteVersion,
} from '../../src/core/kms/provider.ts'

/** One call as it reached the "cloud", for tests to look at. */
export interface Call {
  call: 'import' | 'set-enabled' | 'change' | 'describe' | 'read' | 'remove' | 'recover'
  name: string
}

/** What befalls one call: it waits, fails before or after its effect, or takes effect long after it was given up. */
export interface Disturbance {
  error?: Error
  /** The effect takes place although the call fails. */
  after?: boolean
  /** With `error`: the effect takes place this much later, in ms. */
  effectAfterMs?: number
  /** The call takes this long, in ms. */
  takesMs?: number
}

export type StoredVersion = ReadVersion & { created: number }

/** Time as a cloud sees it: the test's own. */
export interface CloudTime {
  now(): number
  after(ms: number, work: () => void): unknown
}

export const realTime: CloudTime = { now: Date.now, after: (ms, work) => setTimeout(work, ms) }

/** A cloud in memory: the smallest thing that keeps the provider contract, to show that the contract is not Azure in disguise. */
export class MemoryCloud {
  readonly keys = new Map<string, StoredVersion[]>()
  /** Deleted by hand, and kept: their names are held. */
  readonly deleted = new Map<string, StoredVersion[]>()
  readonly calls: Call[] = []
  /** Thrown by the next calls that match, before or after their effect. */
  faults: { call: Call['call']; error: () => Error; after?: boolean; times: number }[] = []
  listPermitted = true
  /** How long a recovery takes after it was answered, in ms. */
  recoveryTakesMs = 0
  /** Credentials with this `secret` are refused everything. */
  readonly revoked = new Set<string>()
  /** What befalls a call; unless a test says otherwise, what `faults` has for it. */
  disturb: (call: Call) => Disturbance | undefined = (call) => {
    const fault = this.faults.find((one) => one.call === call.call && one.times > 0)
    if (!fault) return undefined
    fault.times -= 1
    return { error: fault.error(), after: fault.after === true }
  }

  /** What somebody does by hand to a version, and when. */
  change(name: string, index: number, change: Partial<StoredVersion>): void {
    const version = this.keys.get(name)?.at(index)
    if (!version) throw new Error(`there is no version ${index} of ${name}`)
    Object.assign(version, change, { changed: (version.changed ?? version.created) + 1 })
  }

  /** What somebody does by hand to a key: it can be recovered. */
  softDelete(name: string): void {
    const versions = this.keys.get(name)
    if (!versions) throw new Error(`there is no ${name}`)
    this.keys.delete(name)
    this.deleted.set(name, versions)
  }

  undelete(name: string): void {
    const versions = this.deleted.get(name)
    if (!versions) return
    this.deleted.delete(name)
    this.keys.set(name, versions)
  }

  async act<T>(call: Call, effect: () => T, time: CloudTime = realTime): Promise<T> {
    this.calls.push(call)
    const { error, after, effectAfterMs, takesMs } = this.disturb(call) ?? {}
    if (takesMs !== undefined) await new Promise<void>((go) => time.after(takesMs, go))
    if (!error) return effect()
    if (effectAfterMs !== undefined) time.after(effectAfterMs, () => void attempt(effect))
    else if (after) attempt(effect)
    throw error
  }
}

function attempt(effect: () => unknown): void {
  try {
    effect()
  } catch {
    // Nobody waits for what comes of it.
  }
}

export interface MemoryProviderOptions {
  time?: CloudTime
  /** Put to false, nothing comes back any more: the process that made the calls is dead. */
  link?: { up: boolean }
  times?: Partial<Pick<Provider, 'callTimeoutMs' | 'settleMs' | 'newestAfterMs' | 'recoveryMs'>>
  /** Sees the plaintext of each key that is sent, as a copy. */
  seePlaintext?: (material: Buffer) => void
}

/** The provider of such clouds: `key_collection` names one. */
export function memoryProvider(clouds: Map<string, MemoryCloud>, options: MemoryProviderOptions = {}): Provider {
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
    recoveryMs: 300,
    ...options.times,
    parse: ({ keyCollection }) => {
      if (!clouds.has(keyCollection)) throw invalid(`unknown key_collection "${keyCollection}"`)
      return { collection: collection(keyCollection), warnings: [] }
    },
    checkRemoteName: (name) => {
      if (!/^[a-z0-9-]+$/.test(name)) throw invalid('a remote name has lower-case letters, digits and "-"')
    },
    remoteBaseName: (name) => name.toLowerCase().replace(/[^a-z0-9]/g, '-'),
    open: async (settings) => connect(clouds.get(settings.keyCollection) ?? new MemoryCloud(), settings, options),
  }
}

function connect(cloud: MemoryCloud, settings: KmsSettings, options: MemoryProviderOptions): Connection {
  const time = options.time ?? realTime
  const link = options.link ?? { up: true }
  const find = (name: string, version: string) => cloud.keys.get(name)?.find((one) => one.remoteVersion === version)
  const act = async <T>(call: Call, effect: () => T): Promise<T> => {
    try {
      if (!link.up) return await new Promise<never>(() => {})
      if (cloud.revoked.has(settings.credentials.secret ?? ''))
        throw new CloudError('refused', 'these credentials were revoked')
      return await cloud.act(call, effect, time)
    } finally {
      if (!link.up) await new Promise<never>(() => {})
    }
  }
  return {
    canListVersions: async () => cloud.listPermitted,
    importVersion: async (request) => {
      const publicKey = await request.material.use((plaintext) => {
        options.seePlaintext?.(Buffer.from(plaintext))
        return publicKeyOf(request)
      })
      return await act({ call: 'import', name: request.remoteName }, () => {
        if (cloud.deleted.has(request.remoteName)) throw new CloudError('name_taken', 'a deleted key holds the name')
        const { importId, enabled, purposes, tags, notBefore, expires } = request
        const version = {
          remoteVersion: randomBytes(16).toString('hex'),
          importId,
          enabled,
          publicKey,
          purposes: [...purposes].sort(),
          tags: { ...tags },
          notBefore: secondsOf(notBefore),
          expires: secondsOf(expires),
          created: Math.floor(time.now() / 1000),
        }
        cloud.keys.set(request.remoteName, [...(cloud.keys.get(request.remoteName) ?? []), version])
        return { ...version }
      })
    },
    setVersionEnabled: (name, version, enabled) =>
      act({ call: 'set-enabled', name }, () => {
        const found = find(name, version)
        if (!found) throw new CloudError('refused', 'no such version')
        found.enabled = enabled
      }),
    changeVersion: (name, version, { purposes, tags, notBefore, expires }) =>
      act({ call: 'change', name }, () => {
        const found = find(name, version)
        if (!found) throw new CloudError('refused', 'no such version')
        Object.assign(found, {
          ...(purposes && { purposes: [...purposes].sort() }),
          ...(tags && { importId: tags.importId, tags: { ...tags.others }, labelled: true }),
          ...(notBefore && { notBefore: secondsOf(notBefore) }),
          ...(expires && { expires: secondsOf(expires) }),
          changed: Math.floor(time.now() / 1000),
        })
      }),
    recover: (name) =>
      act({ call: 'recover', name }, () => {
        if (cloud.recoveryTakesMs > 0) time.after(cloud.recoveryTakesMs, () => cloud.undelete(name))
        else cloud.undelete(name)
      }),
    describe: (name, { latestOnly = false } = {}): Promise<RemoteKey> =>
      act({ call: 'describe', name }, () => {
        const gone = cloud.deleted.get(name)?.at(-1)
        if (gone) return { state: 'deleted', latest: { ...gone } }
        const versions = cloud.keys.get(name)
        const latest = versions?.at(-1)
        if (!versions || !latest) return { state: 'absent' }
        return {
          state: 'present',
          latest: { ...latest },
          ...(cloud.listPermitted && !latestOnly ? { versions: versions.map(listed) } : {}),
        }
      }),
    readVersion: (name, version) =>
      act({ call: 'read', name }, () => {
        const found = find(name, version)
        return found && { ...found }
      }),
    remove: (name) => act({ call: 'remove', name }, () => void cloud.keys.delete(name)),
  }
}

/** As a listing shows it, which is not all. */
function listed({ publicKey: _key, purposes: _purposes, ...shown }: StoredVersion): RemoteVersion {
  return shown
}

function secondsOf(date: Date | undefined): number | null {
  return date ? date.getTime() / 1000 : null
}

function publicKeyOf({ material }: ImportRequest): Buffer | null {
  return material.publicKey === null
    ? null
    : createPublicKey(material.publicKey).export({ type: 'spki', format: 'der' })
}
