import type { KeyType } from '../keys/types.ts'
import type { Awaitable, CopyOptions } from '../store.ts'

export { CloudError, type CloudFailure } from './cloud-error.ts'

/** What a key may be used for in the cloud: the words of Vault's `purpose`. */
export const purposes = ['encrypt', 'decrypt', 'sign', 'verify', 'wrap', 'unwrap'] as const
export type Purpose = (typeof purposes)[number]

/** Where the cloud does its operations with the key: the words of Vault's `protection`. */
export const protections = ['hsm', 'software'] as const
export type Protection = (typeof protections)[number]

/** What one key type may do under one protection. `forbidden` lists sets of purposes that a provider cannot give together. */
export interface Allowed {
  purposes: readonly Purpose[]
  forbidden?: readonly (readonly Purpose[])[]
}

/** key type -> protection -> what is allowed. A type or protection that is missing cannot go there. */
export type PurposeMatrix = Partial<Record<KeyType, Partial<Record<Protection, Allowed>>>>

/** Settings of a KMS as they are written by a client and kept: the credentials sealed, the rest in the clear. */
export interface KmsSettings {
  keyCollection: string
  /** Provider-specific `k=v` pairs; may be empty, when ambient credentials are allowed. */
  credentials: Readonly<Record<string, string>>
}

/** What `parse` made of the settings, without touching the network. */
export interface ParsedSettings {
  /**
   * One name for the place where keys will live, the same for everyone who points at it (a URL origin in lower case): remote names
   * and key encryption keys are reserved under it, over all namespaces.
   */
  collection: string
  /** Sentences for the client about what was accepted but is not what it may think. */
  warnings: string[]
}

/** Who asks, so that a provider can decide whether the operator's own (ambient) credentials may serve. */
export interface KmsOwner {
  namespaceId: string
  /** The namespace's path without slashes at its ends; '' is the root. */
  namespacePath: string
}

/** Plaintext key material, opened for the length of one call and zeroed after it. Never keep the buffer or a copy. */
export interface KeyMaterial {
  type: KeyType
  /** SPKI PEM; null for symmetric keys. */
  publicKey: string | null
  use<T>(work: (plaintext: Buffer) => T | Promise<T>): Promise<T>
}

export interface ImportRequest {
  remoteName: string
  /** One per copy and version, the same in every attempt: written into the cloud as a tag, so that a lost answer is found again. */
  importId: string
  material: KeyMaterial
  protection: Protection
  purposes: readonly Purpose[]
  enabled: boolean
  /** The caller's own tags, beside those that the provider writes. */
  tags?: Readonly<Record<string, string>>
  notBefore?: Date
  expires?: Date
}

/** A version as it was seen in the cloud. */
export interface RemoteVersion {
  /** The provider's id of the version (Azure: 32 hex digits). */
  remoteVersion: string
  importId: string | null
  enabled: boolean
  /** Seconds since 1970 when the cloud made it, where it tells: the newest is the current one. */
  created?: number
  /** Seconds since 1970 when anything of it was last changed, where the cloud tells. */
  changed?: number
  /** Its tags but those that the provider writes itself; undefined where the cloud does not tell. */
  tags?: Readonly<Record<string, string>>
  /** False: a tag that the provider writes itself, beside the import id, is not as it was written. */
  labelled?: boolean
  /** Seconds since 1970 from and up to which it may be used, null for no such bound; undefined where the cloud does not tell. */
  notBefore?: number | null
  expires?: number | null
}

/** What a version can be given anew, without its key. What is left out stays as it is. */
export interface VersionChange {
  purposes?: readonly Purpose[]
  /** All tags that it is to have: those that the provider writes itself, of this import id, and these. */
  tags?: { importId: string; others: Readonly<Record<string, string>> }
  notBefore?: Date
  expires?: Date
}

/** A version with what only a full read shows. */
export interface ReadVersion extends RemoteVersion {
  /** SPKI DER of the public key, null for symmetric keys, undefined where the provider does not tell. */
  publicKey?: Buffer | null
  /** The purposes that it has there, sorted. */
  purposes?: readonly Purpose[]
}

/** What is under a remote name. `deleted`: gone but still holding its name (soft delete), or being deleted; `latest` where the cloud tells. */
export type RemoteKey =
  | { state: 'absent' }
  | { state: 'deleted'; latest?: ReadVersion }
  | {
      state: 'present'
      /** The version that the cloud uses when none is named. */
      latest: ReadVersion
      /** Every version, oldest first; undefined where the credentials may not list. */
      versions?: RemoteVersion[]
    }

/** A connection to one KMS with one set of credentials. Every method throws only `CloudError`, or what `material.use` throws. */
export interface Connection {
  /**
   * Imports one version under `remoteName`, making the key when it is not there. Never sent twice by the provider itself. Gives what
   * the cloud answered; the caller compares `publicKey`.
   */
  importVersion(request: ImportRequest): Promise<ReadVersion>
  setVersionEnabled(remoteName: string, remoteVersion: string, enabled: boolean): Promise<void>
  /** What really is there. Lists versions only when permitted; `latestOnly`: and only where the current one cannot be had without. */
  describe(remoteName: string, options?: { latestOnly?: boolean }): Promise<RemoteKey>
  /** Reads one version in full; undefined when it is not there. */
  readVersion(remoteName: string, remoteVersion: string): Promise<ReadVersion | undefined>
  /** Deletes the key with all versions. Deleting what is absent is no error. */
  remove(remoteName: string): Promise<void>
  /**
   * Imports of the versions of one key may run side by side: true once a listing was seen to be permitted. At once where that is known,
   * a promise where the cloud is asked.
   */
  canListVersions(): Awaitable<boolean>
  /** Changes a version that is there. The same change any number of times is one. */
  changeVersion?(remoteName: string, remoteVersion: string, change: VersionChange): Promise<void>
  /** Asks for a deleted key to be had again, with all its versions, which may take the cloud a while. One that is there is no error. */
  recover?(remoteName: string): Promise<void>
  /** A preflight: what stands between this KMS and its first key, as far as it can be told without changing anything there. */
  diagnose?(): Promise<Finding[]>
  /** Makes a new key encryption key and uses it from then on, for every KMS on the collection; the old one is never deleted. */
  rotateWrappingKey?(): Promise<WrappingKeyRotation>
  close?(): void
}

/** What came of a rotation of the key encryption key. */
export interface WrappingKeyRotation {
  /** Of the one in use from now on: full id with version, and `sha256:` + hex of the SPKI DER. */
  keyId: string
  fingerprint: string
  /** The one in use before, if any. */
  formerKeyId: string | null
  /** The HSM's own statement that the new one is in it, where the cloud gives one. */
  attestation: Attestation | null
  /** Sentences about what did not go all the way. */
  warnings: string[]
}

/** What was had of a KMS before: a provider may tell a place that was mistyped from one that cannot be found just now. */
export interface KmsHistory {
  /** Whether a key was ever seen delivered into it. */
  everDelivered(): boolean | Promise<boolean>
}

/** One line of a preflight. */
export interface Finding {
  level: 'ok' | 'info' | 'warning' | 'error'
  code: string
  message: string
  /** What to do about it, where there is something to do. */
  action?: string
}

/** What a KMS shows of itself when read, beside `provider` and `key_collection`: nothing secret. */
export type Shown = Record<string, string | number | boolean | Attestation>

export interface Provider {
  readonly name: string
  readonly matrix: PurposeMatrix
  /** How long one call may take at most, and how long after that a lost one may still take effect, in ms. */
  readonly callTimeoutMs: number
  readonly settleMs: number
  /** How long after the others a key's newest version must come for the cloud to take it for the current one, in ms. */
  readonly newestAfterMs: number
  /** How long after it was asked for a deleted key may come back, in ms: longer than any other call takes to have its effect. */
  readonly recoveryMs: number
  /** Checks the settings without touching the network. Throws `KeyferryError('invalid')` naming field and what is allowed. */
  parse(settings: KmsSettings, owner: KmsOwner): ParsedSettings
  open(settings: KmsSettings, owner: KmsOwner, register: WrappingKeyRegister, history?: KmsHistory): Promise<Connection>
  /** Whether a remote name may be asked for: throws `invalid` with the rule. */
  checkRemoteName(name: string): void
  /** The key's name made fit to begin a remote name: `-<unix seconds>` follows it. */
  remoteBaseName(keyName: string): string
  /** What a KMS shows of its own settings: nothing secret. Throws as `parse` does. */
  shown?(settings: KmsSettings, owner: KmsOwner): Shown
  /** What the matrix cannot say (a kind of vault, tags, times): throws `invalid` before anything is recorded or sent. */
  checkCopy?(settings: KmsSettings, copy: { type: KeyType; protection: Protection; options: CopyOptions }): void
}

/** A key encryption key as recorded: planned before it is made, pinned with version and fingerprint once it is seen. */
export interface WrappingKey {
  id: string
  /** The random name under which it is made. */
  name: string
  state: 'planned' | 'pinned'
  /** Full id with version, and `sha256:` + hex of the SPKI DER: set once pinned. */
  keyId: string | null
  fingerprint: string | null
  /** The HSM's own statement about the key, where the cloud gives one and it was read. */
  attestation?: Attestation | null
}

/** An HSM's statement that a key is in it: the members as the service names them, all text. */
export type Attestation = Readonly<Record<string, string>>

/**
 * The store's record of key encryption keys, one in use per collection, shared by all KMSs that point there. A provider plans a
 * name before it makes the key, so that a lost answer is found again and nobody can have put theirs there before.
 */
export interface WrappingKeyRegister {
  /** The one planned or pinned for the collection, if any. */
  current(collection: string): WrappingKey | undefined
  /** Records a plan with a fresh random name; gives the existing row when another process was first. */
  plan(collection: string, name: string): Promise<WrappingKey>
  pin(id: string, keyId: string, fingerprint: string): Promise<WrappingKey>
  /** The one in use is gone or changed: retires it, so that `current` gives nothing and a new one can be planned. */
  retire(id: string, reason: string): Promise<void>
  /** Keeps the HSM's statement about a pinned key, so that it can be shown when the cloud cannot. */
  attest?(id: string, attestation: Attestation): Promise<void>
}
