import type { DoorRoutes } from '../door.ts'
import { login } from './login.ts'
import { role, roleId, roles } from './role.ts'
import { roleFields } from './role-fields.ts'
import { customSecretId, secretId, tidySecretIds } from './secret-id.ts'
import { destroy, destroyAccessor, lookup, lookupAccessor } from './secret-id-lookup.ts'

/** What an AppRole mount serves. */
export const approle: DoorRoutes = {
  login,
  routes: [
    roles,
    role,
    roleId,
    ...roleFields,
    secretId,
    customSecretId,
    lookup,
    destroy,
    lookupAccessor,
    destroyAccessor,
    tidySecretIds,
  ],
}
