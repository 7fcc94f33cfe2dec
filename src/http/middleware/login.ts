import type { Core } from '../../core/core.ts'
import type { AuthMountRow, NamespaceRow } from '../../core/store.ts'
import type { LoginRoute } from '../vault/auth/door.ts'
import { doorRoutes, refuseOtherDoors } from '../vault/auth/doors.ts'
import type { Target } from '../vault/target.ts'
import { resolve } from './resolve.ts'

/** A login and where it is: the one thing under `auth/` that is open to everybody. */
export interface FoundLogin {
  login: LoginRoute
  door: AuthMountRow
  namespace: NamespaceRow
  /** In its namespace. */
  path: string
}

/**
 * The login that a write is for; undefined where it is for none, so that it needs a token like anything else, whether there is a namespace,
 * a mount or nothing at the path. Throws `invalid` for a login by what Keyferry does not have.
 */
export async function findLogin(core: Core, headers: Headers, target: Target): Promise<FoundLogin | undefined> {
  const { segments } = target
  if (!segments.includes('login')) return undefined
  const resolved = await resolve(core, headers.get('x-vault-namespace'), target)
  if (!resolved) refuseOtherDoors(segments)
  if (resolved?.kind !== 'door' || segments.slice(resolved.under).join('/') !== 'login') return undefined
  const { door, namespace, path } = resolved
  const routes = doorRoutes[door.type]
  return routes && { login: routes.login, door, namespace, path }
}
