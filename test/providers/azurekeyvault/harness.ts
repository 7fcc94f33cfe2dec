import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, randomUUID } from 'node:crypto'
import { KeyferryError } from '../../../src/core/errors.ts'
import { type KeyType, keyTypes } from '../../../src/core/keys/types.ts'
import {
  CloudError,
  type Connection,
  type ImportRequest,
  type KeyMaterial,
  type KmsOwner,
  type KmsSettings,
  type Provider,
  type WrappingKey,
  type WrappingKeyRegister,
} from '../../../src/core/kms/provider.ts'
import {
  type KeyVaultEmulator,
  type KeyVaultEmulatorOptions,
  startKeyVaultEmulator,
} from '../../../src/emulator/azurekeyvault/index.ts'
import type { VaultError } from '../../../src/providers/azurekeyvault/errors.ts'
import {
  type AzureOptions,
  type CloudOptions,
  createAzureKeyVaultProvider,
} from '../../../src/providers/azurekeyvault/index.ts'

export const tenantId = '5f0e5a9e-3a0c-4d3e-8a51-6e2f6b1f0c11'
export const clientId = '0b6f2c1d-95a4-4c53-9a59-2d8f3f0a7b22'
export const clientSecret = 'canary~Secret/4f9Zq+value='
export const root: KmsOwner = { namespaceId: 'root', namespacePath: '' }
export const team: KmsOwner = { namespaceId: 'team', namespacePath: 'team-a' }
/** Credentials that are complete in themselves. */
export const full = { tenant_id: tenantId, client_id: clientId, client_secret: clientSecret }
/** The five permissions that Vault's documents ask for. */
export const fivePermissions = ['create', 'delete', 'get', 'import', 'update'] as const

const pairs = new Map<string, Promise<{ privateKey: KeyObject }> | { privateKey: KeyObject }>()

/** RSA key pairs, made once a file and size: what is told apart by them is told apart by `count`. */
export function rsaPair(bits: number, count = 0): { privateKey: KeyObject } {
  const key = `${bits} ${count}`
  const known = pairs.get(key)
  if (known && !('then' in known)) return known
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: bits })
  pairs.set(key, { privateKey })
  return { privateKey }
}

export interface Bench {
  emulator: KeyVaultEmulator
  options: AzureOptions
  provider: Provider
  register: MemoryRegister
  settings: KmsSettings
  open(settings?: KmsSettings, owner?: KmsOwner): Promise<Connection>
}

/** An emulator with a premium vault, a standard one and a Managed HSM, and a provider whose sockets go there. */
export async function startBench(
  more: { emulator?: KeyVaultEmulatorOptions; azure?: AzureOptions; cloud?: CloudOptions } = {},
): Promise<Bench> {
  const emulator = await startKeyVaultEmulator({
    vaults: [
      { name: 'prod-keys', kind: 'premium' },
      { name: 'plain-keys', kind: 'standard' },
      { name: 'hard-keys', kind: 'managedhsm' },
    ],
    principals: [{ tenantId, clientId, clientSecret }],
    // One pair for every KEK: a fresh RSA-4096 takes a second. Tests that need two tell them apart by version.
    rsaKeyPairs: async (bits) => rsaPair(bits),
    ...more.emulator,
  })
  const address = `127.0.0.1:${emulator.port}`
  const options: AzureOptions = {
    clouds: {
      AzurePublicCloud: {
        connectTo: address,
        authorityConnectTo: address,
        ca: emulator.caCertificate,
        instanceDiscovery: false,
        ...more.cloud,
      },
    },
    ...more.azure,
  }
  const provider = createAzureKeyVaultProvider(options)
  const register = new MemoryRegister()
  const settings = {
    keyCollection: 'prod-keys',
    credentials: { tenant_id: tenantId, client_id: clientId, client_secret: clientSecret },
  }
  return {
    emulator,
    options,
    provider,
    register,
    settings,
    open: (given = settings, owner = root) => provider.open(given, owner, register),
  }
}

/** Another connection to the same emulator, with a provider of its own; without `register`, with an empty one. */
export async function openAnother(
  bench: Bench,
  more: { azure?: AzureOptions; settings?: KmsSettings; register?: WrappingKeyRegister } = {},
): Promise<Connection> {
  const provider = createAzureKeyVaultProvider({ ...bench.options, ...more.azure })
  return await provider.open(more.settings ?? bench.settings, root, more.register ?? new MemoryRegister())
}

/** What the work fails with, which must be a `CloudError`. */
export async function failure(work: Promise<unknown>): Promise<VaultError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof CloudError) return error as VaultError
  throw new Error(`expected a CloudError, got ${String(error)}`, { cause: error })
}

/** Settings of a KMS as the provider understands them. */
export function parseSettings(
  credentials: Record<string, string>,
  more: { keyCollection?: string; owner?: KmsOwner; options?: AzureOptions } = {},
) {
  const provider = createAzureKeyVaultProvider(more.options)
  return provider.parse({ keyCollection: more.keyCollection ?? 'prod-keys', credentials }, more.owner ?? root)
}

/** The message of a refusal, which must be an `invalid`. */
export function refusal(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof KeyferryError && error.code === 'invalid') return error.message
    throw error
  }
  throw new Error('was accepted')
}

/** A register as the store keeps it, in memory. */
export class MemoryRegister implements WrappingKeyRegister {
  readonly rows: (WrappingKey & { collection: string; retired: string | null })[] = []

  current(collection: string): WrappingKey | undefined {
    return this.rows.find((row) => row.collection === collection && row.retired === null)
  }

  async plan(collection: string, name: string): Promise<WrappingKey> {
    const existing = this.current(collection)
    if (existing) return existing
    const row = {
      id: randomUUID(),
      name,
      state: 'planned' as const,
      keyId: null,
      fingerprint: null,
      collection,
      retired: null,
    }
    this.rows.push(row)
    return row
  }

  async pin(id: string, keyId: string, fingerprint: string): Promise<WrappingKey> {
    const row = this.#row(id)
    if (row.state === 'planned') Object.assign(row, { state: 'pinned', keyId, fingerprint })
    return row
  }

  async retire(id: string, reason: string): Promise<void> {
    this.#row(id).retired = reason
  }

  #row(id: string) {
    const row = this.rows.find((one) => one.id === id)
    if (!row) throw new Error(`no wrapping key ${id}`)
    return row
  }
}

export interface TestKey {
  material: KeyMaterial
  privateKey: KeyObject | undefined
  /** SPKI DER; null for symmetric keys. */
  publicKey: Buffer | null
  /** The buffers that `use` lent, which must be zeroed by nobody but the caller. */
  plaintext: Buffer
}

/** A key of a type with its plaintext, lent as the core lends it: a copy, zeroed afterwards. */
export function testKey(type: KeyType): TestKey {
  const spec = keyTypes[type]
  let plaintext: Buffer
  let privateKey: KeyObject | undefined
  if (spec.family === 'aes') plaintext = randomBytes(spec.bytes)
  else {
    privateKey =
      spec.family === 'rsa'
        ? rsaPair(spec.modulusLength, 1).privateKey
        : generateKeyPairSync('ec', { namedCurve: spec.curve }).privateKey
    plaintext = privateKey.export({ type: 'pkcs8', format: 'der' })
  }
  const publicKey = privateKey ? createPublicKey(privateKey).export({ type: 'spki', format: 'der' }) : null
  const material: KeyMaterial = {
    type,
    publicKey: privateKey ? createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString() : null,
    async use(work) {
      const lent = Buffer.from(plaintext)
      try {
        return await work(lent)
      } finally {
        lent.fill(0)
      }
    },
  }
  return { material, privateKey, publicKey, plaintext }
}

let names = 0

/** A request to import an rsa-2048 key for all purposes under a name of its own. */
export function importRequest(more: Partial<ImportRequest> = {}): ImportRequest {
  return {
    remoteName: `key-${++names}`,
    importId: randomUUID(),
    material: testKey('rsa-2048').material,
    protection: 'hsm',
    purposes: ['decrypt', 'encrypt', 'sign', 'unwrap', 'verify', 'wrap'],
    enabled: true,
    ...more,
  }
}
