import type { KeyProperties } from '@azure/keyvault-keys'
import { keyTypes } from '../../core/keys/types.ts'
import type {
  Connection,
  Finding,
  ImportRequest,
  ReadVersion,
  RemoteKey,
  RemoteVersion,
  VersionChange,
  WrappingKeyRotation,
} from '../../core/kms/provider.ts'
import { allTags, refuseUnsendable } from './attributes.ts'
import type { Deadline, VaultClient } from './client.ts'
import { hiddenByDisabling, VaultError } from './errors.ts'
import { privateJwk, zeroJwk } from './jwk.ts'
import type { Kek, KekKeeper } from './kek.ts'
import { toKeyOps } from './matrix.ts'
import { toReadVersion, toRemoteVersion } from './remote-version.ts'
import { transferBlob } from './transfer-blob.ts'

/** How long a refusal to list is believed: roles and access policies change. */
const refusalLastsMs = 10 * 60_000
/** The service's own page size. */
const pageSize = 25

export interface VaultConnectionOptions {
  client: VaultClient
  keks: KekKeeper
  timeoutMs: number
  now: () => number
  preflight: (time: Deadline) => Promise<Finding[]>
  rotateKek: (time: Deadline) => Promise<WrappingKeyRotation>
}

/** One KMS as one identity. Each method takes at most `timeoutMs`, over all its calls. */
export class VaultConnection implements Connection {
  readonly #client: VaultClient
  readonly #keks: KekKeeper
  readonly #time: () => Deadline
  readonly #now: () => number
  readonly diagnose: () => Promise<Finding[]>
  readonly rotateWrappingKey: () => Promise<WrappingKeyRotation>
  /** When listing was last refused, `true` once it was permitted, undefined before it was tried. */
  #listing: true | { refusedAt: number } | undefined

  constructor(options: VaultConnectionOptions) {
    this.#client = options.client
    this.#keks = options.keks
    this.#time = () => options.client.deadline(options.timeoutMs)
    this.#now = options.now
    this.diagnose = () => options.preflight(this.#time())
    this.rotateWrappingKey = () => options.rotateKek(this.#time())
  }

  async importVersion(request: ImportRequest): Promise<ReadVersion> {
    const time = this.#time()
    refuseUnsendable(request)
    if (request.protection === 'software') return await this.#importPlain(request, time)
    const kek = await this.#keks.get(time)
    try {
      return await this.#importWrapped(request, kek, time)
    } catch (error) {
      // The service does not say that the key encryption key is to blame, so it is looked at after every refusal that it can cause.
      if (!(error instanceof VaultError) || ![400, 403, 404].includes(error.status ?? 0)) throw error
      const next = await this.#keks.replacementFor(kek, time).catch((reason: unknown) => {
        // That it could not be looked at or made anew tells less than the refusal itself.
        throw reason instanceof VaultError ? error : reason
      })
      if (!next) throw error
      return await this.#importWrapped(request, next, time)
    }
  }

  async setVersionEnabled(remoteName: string, remoteVersion: string, enabled: boolean): Promise<void> {
    const what = `${enabled ? 'enable' : 'disable'} version ${remoteVersion} of the key "${remoteName}"`
    await this.#client.call({ action: 'update', what }, this.#time(), (keys, options) =>
      keys.updateKeyProperties(remoteName, remoteVersion, { ...options, enabled }),
    )
  }

  async changeVersion(remoteName: string, remoteVersion: string, change: VersionChange): Promise<void> {
    const { purposes, tags, notBefore, expires } = change
    const what = `change version ${remoteVersion} of the key "${remoteName}"`
    await this.#client.call({ action: 'update', what }, this.#time(), (keys, options) =>
      keys.updateKeyProperties(remoteName, remoteVersion, {
        ...options,
        ...(purposes && { keyOps: toKeyOps(purposes) }),
        ...(tags && { tags: allTags(remoteName, tags.importId, tags.others) }),
        ...(notBefore && { notBefore }),
        ...(expires && { expiresOn: expires }),
      }),
    )
  }

  async recover(remoteName: string): Promise<void> {
    const operation = { action: 'recover', what: `recover the deleted key "${remoteName}"` } as const
    await this.#client.call(operation, this.#time(), (keys, options) =>
      keys.beginRecoverDeletedKey(remoteName, options),
    )
  }

  async describe(remoteName: string, { latestOnly = false } = {}): Promise<RemoteKey> {
    const time = this.#time()
    const read = () => this.#get(remoteName, undefined, time).catch(hiddenByDisabling)
    const current = latestOnly ? await read() : undefined
    if (current && !(current instanceof VaultError)) return { state: 'present', latest: current }
    // Side by side once it is known that listing is permitted: a look at a key with many versions takes as long as its list.
    const [latest, versions] =
      this.#listing === true
        ? await Promise.all([read(), this.#list(remoteName, time)])
        : [await read(), await this.#list(remoteName, time)]
    if (latest && !(latest instanceof VaultError)) {
      if (!versions) return { state: 'present', latest }
      const others = versions.filter(({ remoteVersion }) => remoteVersion !== latest.remoteVersion)
      return { state: 'present', latest, versions: [...others, latest] }
    }
    const newest = versions?.at(-1)
    if (versions && newest) return { state: 'present', latest: newest, versions }
    if (latest) throw latest
    return await this.#deleted(remoteName, time)
  }

  async readVersion(remoteName: string, remoteVersion: string): Promise<ReadVersion | undefined> {
    const time = this.#time()
    const read = await this.#get(remoteName, remoteVersion, time).catch(hiddenByDisabling)
    if (!(read instanceof VaultError)) return read
    const listed = (await this.#list(remoteName, time))?.find((one) => one.remoteVersion === remoteVersion)
    if (!listed) throw read
    return listed
  }

  async remove(remoteName: string): Promise<void> {
    const operation = { action: 'delete', what: `delete the key "${remoteName}"` } as const
    try {
      await this.#client.call(operation, this.#time(), (keys, options) => keys.beginDeleteKey(remoteName, options))
    } catch (error) {
      if (error instanceof VaultError && error.status === 404) return
      if (error instanceof VaultError && error.serviceCode?.includes('ObjectIsBeingDeleted')) return
      throw error
    }
  }

  canListVersions(): boolean | Promise<boolean> {
    if (this.#listing !== undefined && !this.#refusalIsOld()) return this.#listing === true
    return this.#tryListing(() =>
      this.#client.read({ action: 'list', what: 'list keys' }, this.#time(), (keys, options) =>
        keys.listPropertiesOfKeys(options).byPage({ maxPageSize: 1 }).next(),
      ),
    )
  }

  async #importWrapped(request: ImportRequest, kek: Kek, time: Deadline): Promise<ReadVersion> {
    const type = keyTypes[request.material.type]
    const blob = await request.material.use((plaintext) => transferBlob(kek, plaintext))
    const kty = { rsa: 'RSA-HSM', ec: 'EC-HSM', aes: 'oct-HSM' }[type.family]
    const crv = type.family === 'ec' ? { crv: type.curve } : {}
    return await this.#import(request, { kty, ...crv, keyOps: toKeyOps(request.purposes), t: blob }, time)
  }

  async #importPlain(request: ImportRequest, time: Deadline): Promise<ReadVersion> {
    const jwk = await request.material.use((plaintext) => privateJwk(plaintext, toKeyOps(request.purposes)))
    try {
      return await this.#import(request, jwk, time)
    } finally {
      zeroJwk(jwk)
    }
  }

  async #import(request: ImportRequest, jwk: Parameters<ImportKey>[1], time: Deadline): Promise<ReadVersion> {
    const { remoteName, importId, enabled, tags, notBefore, expires } = request
    const hsm = request.protection === 'hsm'
    const operation = { action: 'import', what: `import the key "${remoteName}"`, hsm } as const
    const key = await this.#client.call(operation, time, (keys, options) =>
      keys.importKey(remoteName, jwk, {
        ...options,
        enabled,
        ...(hsm && { hardwareProtected: true }),
        ...(notBefore && { notBefore }),
        ...(expires && { expiresOn: expires }),
        tags: allTags(remoteName, importId, tags),
      }),
    )
    return toReadVersion(key)
  }

  async #get(remoteName: string, version: string | undefined, time: Deadline): Promise<ReadVersion | undefined> {
    const operation = { action: 'get', what: `read the key "${remoteName}"` } as const
    try {
      const key = await this.#client.read(operation, time, (keys, options) =>
        keys.getKey(remoteName, { ...options, ...(version !== undefined && { version }) }),
      )
      return toReadVersion(key)
    } catch (error) {
      if (error instanceof VaultError && error.status === 404) return undefined
      throw error
    }
  }

  async #deleted(remoteName: string, time: Deadline): Promise<RemoteKey> {
    const operation = { action: 'get', what: `read the deleted key "${remoteName}"` } as const
    const read = this.#client.read(operation, time, (keys, options) => keys.getDeletedKey(remoteName, options))
    try {
      return { state: 'deleted', latest: toReadVersion(await read) }
    } catch (error) {
      // Without the right to see it, only the answer to an import shows that a name is held.
      if (error instanceof VaultError && (error.status === 404 || error.status === 403)) return { state: 'absent' }
      throw error
    }
  }

  /** Oldest first; undefined where the credentials may not list. */
  async #list(remoteName: string, time: Deadline): Promise<RemoteVersion[] | undefined> {
    if (this.#listing !== undefined && this.#listing !== true && !this.#refusalIsOld()) return undefined
    const found: KeyProperties[] = []
    const permitted = await this.#tryListing(() =>
      this.#client.read(
        { action: 'list', what: `list the versions of the key "${remoteName}"` },
        time,
        async (keys, options) => {
          found.length = 0
          const pages = keys.listPropertiesOfKeyVersions(remoteName, options).byPage({ maxPageSize: pageSize })
          for await (const page of pages) found.push(...page)
        },
      ),
    )
    if (!permitted) return undefined
    return found.map(toRemoteVersion).sort((a, b) => (a.created ?? 0) - (b.created ?? 0))
  }

  async #tryListing(work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work()
    } catch (error) {
      if (error instanceof VaultError && error.status === 403) {
        this.#listing = { refusedAt: this.#now() }
        return false
      }
      if (!(error instanceof VaultError) || error.status !== 404) throw error
    }
    this.#listing = true
    return true
  }

  #refusalIsOld(): boolean {
    return typeof this.#listing === 'object' && this.#now() - this.#listing.refusedAt > refusalLastsMs
  }
}

type ImportKey = import('@azure/keyvault-keys').KeyClient['importKey']
