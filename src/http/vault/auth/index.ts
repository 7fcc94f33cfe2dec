import type { Route, SystemCall } from '../route.ts'
import { create, createByRole, createOrphan } from './create.ts'
import { accessors, lookup, lookupAccessor, lookupSelf } from './lookup.ts'
import { renew, renewAccessor, renewSelf } from './renew.ts'
import { revoke, revokeAccessor, revokeOrphan, revokeSelf } from './revoke.ts'
import { role, roles } from './roles.ts'

/** What a namespace has under `auth/token/`. */
export const tokenRoutes: readonly Route<SystemCall>[] = [
  create,
  createOrphan,
  createByRole,
  lookup,
  lookupSelf,
  lookupAccessor,
  accessors,
  renew,
  renewSelf,
  renewAccessor,
  revoke,
  revokeSelf,
  revokeAccessor,
  revokeOrphan,
  roles,
  role,
]
