import { offered } from '../../../core/access/doors/auth-mounts.ts'
import { invalid } from '../../../core/errors.ts'
import { approle } from './approle/index.ts'
import type { DoorRoutes } from './door.ts'
import { jwt } from './jwt/index.ts'

/** What there is at `auth/<path>`, by the type of the mount. */
export const doorRoutes: Readonly<Record<string, DoorRoutes>> = { approle, jwt, oidc: jwt }

/** Vault's other ways to log in, at their usual paths. */
const elsewhere = new Set(
  'alicloud aws azure cert cf gcp github kerberos kubernetes ldap oci okta pcf radius saml spiffe userpass'.split(' '),
)

/** Throws `invalid`, naming what there is, for a login at a usual path of a door that Keyferry does not have. */
export function refuseOtherDoors(segments: readonly string[]): void {
  const at = segments.indexOf('auth')
  const type = segments[at + 1] ?? ''
  if (at < 0 || segments[at + 2] !== 'login' || !elsewhere.has(type)) return
  throw invalid(`there is no login by "${type}" here: ${offered}`)
}
