import type { Caller } from '../../core/access/authenticator.ts'
import { KeyferryError } from '../../core/errors.ts'
import type { NamespaceRow } from '../../core/store.ts'
import type { Capability } from '../vault/route.ts'

/** What somebody wants to do. */
export interface Wanted {
  namespace: NamespaceRow
  /** In its namespace: `keymgmt/key/orders`. */
  path: string
  /** Looked up only by a policy that tells `create` from `update`. */
  capability: Capability | (() => Promise<Capability>)
}

/** Whether the caller may. Throws `denied` when not; the words say nothing of what is there. */
export function authorize(caller: Caller, wanted: Wanted): void {
  const inside =
    caller.namespacePath === '' ||
    wanted.namespace.path === caller.namespacePath ||
    wanted.namespace.path.startsWith(`${caller.namespacePath}/`)
  if (inside && caller.token.policies.includes('root')) return
  throw new KeyferryError('denied', 'permission denied')
}
