import type { DoorRoutes } from '../door.ts'
import { config } from './config.ts'
import { login } from './login.ts'
import { role, roles } from './role.ts'

/** What a JWT mount serves. */
export const jwt: DoorRoutes = { login, routes: [config, roles, role] }
