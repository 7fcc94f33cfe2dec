import { deletionMembers, keyBundle, keyItem } from './bundles.ts'
import { badParameter, conflict, forbidden, ServiceError, type ServiceResponse } from './errors.ts'
import type { KeyVersion, NamedKey, Vault } from './vault.ts'

/** Soft delete (Azure: soft-delete overview): deleting, the deleted key, recovering, purging. */

function latest(key: NamedKey) {
  const version = key.versions.at(-1)
  if (version === undefined) throw new Error(`Key ${key.name} has no version.`)
  return version
}

function deletedBundle(vault: Vault, key: NamedKey): Record<string, unknown> {
  return { ...deletionMembers(vault, key), ...keyBundle(vault, key, latest(key)) }
}

/** A deleted key, which one that is being deleted is not yet. */
function deleted(vault: Vault, name: string): NamedKey {
  const key = vault.lookup(name)
  if (key?.state.name === 'deleted' || key?.state.name === 'recovering') return key
  throw new ServiceError(404, 'KeyNotFound', `Deleted Key not found: ${name}`)
}

function settleTime(vault: Vault): number {
  return vault.now + vault.spec.deletionSeconds * 1000
}

/** DELETE /keys/{name}: every version. The key is gone at once; the deleted key appears when the deletion has settled. */
export function deleteKey(vault: Vault, name: string): ServiceResponse {
  const key = vault.active(name)
  key.state = { name: 'deleting', settles: settleTime(vault), deleted: vault.now }
  return { status: 200, body: deletedBundle(vault, key) }
}

/** GET /deletedkeys/{name}. */
export function getDeletedKey(vault: Vault, name: string): ServiceResponse {
  return { status: 200, body: deletedBundle(vault, deleted(vault, name)) }
}

/** POST /deletedkeys/{name}/recover: the key answers again when this has settled. */
export function recoverKey(vault: Vault, name: string): ServiceResponse {
  refuseWhileMoving(vault, name)
  const key = deleted(vault, name)
  if (key.state.name !== 'deleted') throw new Error('A key that is moving was not refused.')
  key.state = { name: 'recovering', settles: settleTime(vault), deleted: key.state.deleted }
  return { status: 200, body: keyBundle(vault, key, latest(key)) }
}

/** DELETE /deletedkeys/{name}: for good. */
export function purgeKey(vault: Vault, name: string): ServiceResponse {
  refuseWhileMoving(vault, name)
  deleted(vault, name)
  if (vault.spec.purgeProtection) {
    throw forbidden(
      'Operation "purge" is not allowed because purge protection is enabled for this vault. Key Vault service will ' +
        'automatically purge it after the retention period has passed.',
      'OperationNotAllowed',
    )
  }
  vault.remove(name)
  return { status: 204 }
}

function refuseWhileMoving(vault: Vault, name: string): void {
  const state = vault.lookup(name)?.state.name
  if (state === 'deleting') throw conflict('Key is currently being deleted.', 'ObjectIsBeingDeleted')
  if (state === 'recovering') throw conflict('Key is currently being recovered.', 'ObjectIsBeingRecovered')
}

/** GET /keys: the latest version of each, under the identifier without a version. */
export function listKeys(vault: Vault, query: URLSearchParams): ServiceResponse {
  const keys = vault.entries().filter((key) => key.state.name === 'active')
  return page(vault, '/keys', query, keys, markerOfKey, (key) => keyItem(vault, key, latest(key), false))
}

/**
 * GET /keys/{name}/versions. The service promises no order; here it is that of the version identifiers, which are random, so that a
 * client that counts on an order is found out.
 */
export function listVersions(vault: Vault, name: string, query: URLSearchParams): ServiceResponse {
  const key = vault.active(name)
  const versions = key.versions.toSorted((a, b) => (a.version < b.version ? -1 : 1))
  const path = `/keys/${key.name}/versions`
  const marker = (version: KeyVersion) => version.version
  return page(vault, path, query, versions, marker, (version) => keyItem(vault, key, version, true))
}

/** GET /deletedkeys. */
export function listDeletedKeys(vault: Vault, query: URLSearchParams): ServiceResponse {
  const keys = vault.entries().filter((key) => key.state.name === 'deleted')
  return page(vault, '/deletedkeys', query, keys, markerOfKey, (key) => ({
    ...deletionMembers(vault, key),
    ...keyItem(vault, key, latest(key), false),
  }))
}

const markerOfKey = (key: NamedKey) => key.name.toLowerCase()

const maximumPage = 25

/** One page of a list in the order of its markers; `$skiptoken` is the marker of the last item before it. */
function page<T>(
  vault: Vault,
  path: string,
  query: URLSearchParams,
  entries: readonly T[],
  marker: (entry: T) => string,
  item: (entry: T) => unknown,
): ServiceResponse {
  const asked = query.get('maxresults') ?? String(maximumPage)
  const size = /^\d{1,2}$/.test(asked) ? Number(asked) : 0
  if (size < 1 || size > maximumPage) {
    throw badParameter(`The maxresults parameter must be a number from 1 to ${maximumPage}, not ${asked}.`)
  }
  const after = Buffer.from(query.get('$skiptoken') ?? '', 'base64url').toString('utf8')
  const rest = entries.filter((entry) => marker(entry) > after)
  const shown = rest.slice(0, size)
  const last = shown.at(-1)
  let nextLink: string | null = null
  if (rest.length > size && last !== undefined) {
    const token = Buffer.from(marker(last), 'utf8').toString('base64url')
    const version = encodeURIComponent(query.get('api-version') ?? '')
    nextLink = `https://${vault.host}${path}?api-version=${version}&$skiptoken=${token}&maxresults=${size}`
  }
  return { status: 200, body: { value: shown.map(item), nextLink } }
}
