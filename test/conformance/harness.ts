import { createPublicKey, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto'
import { type KeyType, keyTypes } from '../../src/core/keys/types.ts'
import {
  CloudError,
  type ImportRequest,
  type KeyMaterial,
  type KmsOwner,
  type KmsSettings,
  type Protection,
  type Provider,
  type WrappingKey,
  type WrappingKeyRegister,
} from '../../src/core/kms/provider.ts'

/** A call of a connection that reaches the cloud. */
export type CallKind = 'import' | 'set-enabled' | 'describe' | 'remove'

/** What befalls a call: a final no, "not now", or an answer that is lost before or after the call took effect. */
export type Mishap = 'refused' | 'throttled' | 'lost-before' | 'lost-after'

/** What a provider needs to be put through `testProvider`: itself, a cloud to go to, and a hand on that cloud. */
export interface ProviderHarness {
  provider: Provider
  settings: KmsSettings
  owner: KmsOwner
  /** Settings that must be refused without asking the cloud, with a name for each. */
  badSettings: [string, KmsSettings][]
  /** Names that no key can have there. */
  badNames: string[]
  /** Every call of this kind meets this, until `calm`. */
  disturb(call: CallKind, mishap: Mishap): void
  calm(): void
  permitListing(permitted: boolean): void
  close(): Promise<void>
}

/** A register of key encryption keys, for one process. */
export class Register implements WrappingKeyRegister {
  readonly #rows: (WrappingKey & { collection: string; retired: boolean })[] = []

  current(collection: string): WrappingKey | undefined {
    return this.#rows.find((row) => row.collection === collection && !row.retired)
  }

  async plan(collection: string, name: string): Promise<WrappingKey> {
    const known = this.current(collection)
    if (known) return known
    const row = { id: randomUUID(), name, state: 'planned' as const, keyId: null, fingerprint: null }
    this.#rows.push({ ...row, collection, retired: false })
    return row
  }

  async pin(id: string, keyId: string, fingerprint: string): Promise<WrappingKey> {
    return Object.assign(this.#row(id), { state: 'pinned' as const, keyId, fingerprint })
  }

  async retire(id: string): Promise<void> {
    this.#row(id).retired = true
  }

  #row(id: string) {
    const row = this.#rows.find((one) => one.id === id)
    if (!row) throw new Error(`no row ${id}`)
    return row
  }
}

/** Key material that watches how it is borrowed. */
export interface WatchedMaterial extends KeyMaterial {
  /** SPKI DER; null for symmetric keys. */
  spki: Buffer | null
  borrowed: number
  /** The lent buffers, each zeroed once the borrower was done. */
  lent: Buffer[]
  /** A borrower wrote into the key. */
  spoilt: boolean
  /** Copies of what was lent, to look for elsewhere. */
  plaintext: Buffer
}

export function watchedMaterial(type: KeyType): WatchedMaterial {
  const spec = keyTypes[type]
  const pair =
    spec.family === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: spec.modulusLength })
      : spec.family === 'ec'
        ? generateKeyPairSync('ec', { namedCurve: spec.curve })
        : undefined
  const plaintext = pair?.privateKey.export({ type: 'pkcs8', format: 'der' }) ?? randomBytes(32)
  const spki = pair ? createPublicKey(pair.privateKey).export({ type: 'spki', format: 'der' }) : null
  const material: WatchedMaterial = {
    type,
    publicKey: pair ? pair.publicKey.export({ type: 'spki', format: 'pem' }).toString() : null,
    spki,
    plaintext,
    borrowed: 0,
    lent: [],
    spoilt: false,
    async use(work) {
      material.borrowed += 1
      const buffer = Buffer.from(plaintext)
      material.lent.push(buffer)
      try {
        return await work(buffer)
      } finally {
        if (!buffer.equals(plaintext)) material.spoilt = true
        buffer.fill(0)
      }
    },
  }
  return material
}

/** Everything that the matrix allows and the place takes: type, protection, and all purposes that it may have at once. */
export function everythingPossible({ provider, settings }: ProviderHarness) {
  return (Object.keys(provider.matrix) as KeyType[]).flatMap((type) =>
    (Object.keys(provider.matrix[type] ?? {}) as Protection[]).flatMap((protection) => {
      const allowed = provider.matrix[type]?.[protection]
      if (!allowed) return []
      try {
        provider.checkCopy?.(settings, { type, protection, options: {} })
      } catch {
        return []
      }
      const clash = new Set(allowed.forbidden?.map((set) => set[0]))
      return [{ type, protection, purposes: allowed.purposes.filter((purpose) => !clash.has(purpose)).sort() }]
    }),
  )
}

let counter = 0

/** An import of a key that the provider takes, under a name of its own. */
export function requestFor(
  harness: ProviderHarness,
  more: Partial<ImportRequest> = {},
): ImportRequest & { material: WatchedMaterial } {
  const [first] = everythingPossible(harness).sort(
    (a, b) => Number(a.type.startsWith('rsa')) - Number(b.type.startsWith('rsa')),
  )
  if (!first) throw new Error('the provider takes no key at all')
  return {
    remoteName: `${harness.provider.remoteBaseName(`conformance-${++counter}`)}-${1_700_000_000 + counter}`,
    importId: randomUUID(),
    protection: first.protection,
    purposes: first.purposes,
    enabled: true,
    ...more,
    material: watchedMaterial(more.material?.type ?? first.type),
  }
}

/** What the work fails with, which must be a `CloudError` that gives nothing of the credentials away. */
export async function cloudFailure(work: Promise<unknown>, { settings }: ProviderHarness): Promise<CloudError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof CloudError)) throw new Error(`expected a CloudError, got ${String(error)}`, { cause: error })
  const leaked = Object.entries(settings.credentials).filter(
    ([name, value]) => /secret/.test(name) && error.message.includes(value),
  )
  if (leaked.length > 0 || error.message.length < 5) throw new Error('the message gives a secret away, or says nothing')
  return error
}
