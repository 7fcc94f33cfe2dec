import { doorRoutes } from './vault/auth/doors.ts'
import { tokenRoutes } from './vault/auth/index.ts'
import { keymgmtRoutes } from './vault/keymgmt/index.ts'
import type { DoorCall, Route } from './vault/route.ts'
import { RouteTable } from './vault/route-table.ts'
import { publicRoutes, sysRoutes } from './vault/sys/index.ts'

/** All routes of Vault's wire, ready to be looked up. Public ones by their whole path. */
export const publicTable = new Map(publicRoutes.map((route) => [route.path, route]))
export const sysTable = new RouteTable(sysRoutes, 'sys/')
export const tokenTable = new RouteTable(tokenRoutes, 'auth/token/')
export const keymgmtTable = new RouteTable(keymgmtRoutes, 'keymgmt/')
/** By the type of the mount. */
export const doorTables = new Map(
  // A login needs no token, and is found before; here it has its help, and refuses whatever is no login.
  Object.entries(doorRoutes).map(([type, { login, routes }]) => [
    type,
    new RouteTable<Route<DoorCall>>([...routes, { ...login, operations: {} }], `auth/${type}/`),
  ]),
)
