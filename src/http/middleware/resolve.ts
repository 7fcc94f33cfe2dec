import type { Core } from '../../core/core.ts'
import { KeyferryError } from '../../core/errors.ts'
import { printable } from '../../core/keys/types.ts'
import type { AuthMountRow, MountRow, NamespaceRow } from '../../core/store.ts'
import type { Target } from '../vault/target.ts'

/**
 * What a path is under: something mounted, or what every namespace has. `path` is the path in its namespace; what is relative to the mount
 * begins after `under` parts of the whole.
 */
export type Resolved = { namespace: NamespaceRow; path: string; under: number } & (
  | { kind: 'engine'; mount: MountRow }
  | { kind: 'sys' }
  | { kind: 'token' }
  | { kind: 'door'; door: AuthMountRow }
)

/**
 * Finds the namespace (from `X-Vault-Namespace`, then from the beginning of the path) and what is mounted there. Gives undefined when
 * there is nothing, be it that the namespace does not exist.
 */
export async function resolve(core: Core, header: string | null, target: Target): Promise<Resolved | undefined> {
  let namespace = await namespaceOf(core, header)
  let from = 0
  while (namespace !== undefined) {
    const found = await inNamespace(core, namespace, target, from)
    if (found) return found
    const name = target.segments[from]
    if (name === undefined || name === '') break
    const path: string = namespace.path === '' ? name : `${namespace.path}/${name}`
    namespace = await core.namespace(path)
    from += 1
  }
  return undefined
}

/** The root alone, as a lineage: whose limits hold also where nothing is known of who asks, or for what. */
export async function rootOf(core: Core): Promise<NamespaceRow[]> {
  const root = await core.namespace('')
  return root ? [root] : []
}

/** The path of a request in full, whatever is there: what rights are asked for where nothing is. */
export function fullPathOf(header: string | null, target: Target): string {
  const namespace = trimmed(header)
  return namespace === '' ? target.path : `${namespace}/${target.path}`
}

/** Where what serves the request is mounted, as the audit log names it. */
export function mountPointOf(resolved: Resolved): string {
  if (resolved.kind === 'engine') return resolved.mount.path
  if (resolved.kind === 'door') return `auth/${resolved.door.path}`
  return resolved.kind === 'sys' ? 'sys/' : 'auth/token/'
}

export function noRoute(target: Target): KeyferryError {
  return new KeyferryError('no_route', `no handler for route "${printable(target.path)}". route entry not found.`)
}

/** The header's value: slashes at its ends, and `root` for the root, are allowed, as in Vault. */
async function namespaceOf(core: Core, header: string | null): Promise<NamespaceRow | undefined> {
  return await core.namespace(trimmed(header))
}

function trimmed(header: string | null): string {
  const path = header === null ? '' : header.replace(/^\/+|\/+$/g, '')
  return path === 'root' ? '' : path
}

async function inNamespace(
  core: Core,
  namespace: NamespaceRow,
  target: Target,
  from: number,
): Promise<Resolved | undefined> {
  const { segments } = target
  const path = from === 0 ? target.path : segments.slice(from).join('/')
  if (segments[from] === 'sys') return { kind: 'sys', namespace, path, under: from + 1 }
  if (segments[from] === 'auth') {
    if (segments[from + 1] === 'token') return { kind: 'token', namespace, path, under: from + 2 }
    const door = await core.doors.mounts.resolve(namespace.id, `${segments.slice(from + 1).join('/')}/`)
    return door && { kind: 'door', namespace, path, door, under: from + door.path.split('/').length }
  }
  const mount = await core.mounts.resolve(namespace.id, `${path}/`)
  return mount && { kind: 'engine', namespace, path, mount, under: from + mount.path.split('/').length - 1 }
}
