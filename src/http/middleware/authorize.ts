import type { Caller } from '../../core/access/authenticator.ts'
import { pathFor } from '../../core/access/policies.ts'
import type { Core } from '../../core/core.ts'
import { KeyferryError } from '../../core/errors.ts'
import { usualCapability } from '../vault/operation.ts'
import type { Capability, OperationName } from '../vault/route.ts'

/** What somebody wants to do. */
export interface Wanted {
  /** In full, from the root namespace on: `team/keymgmt/key/orders`. */
  path: string
  operation: OperationName
  /** What the route asks for; a function where `create` and `update` differ, called only by a policy that tells them apart. */
  capability: Capability | (() => Promise<'create' | 'update'>)
  parameters: Readonly<Record<string, unknown>>
  /** Seconds, where the caller wants the answer wrapped. */
  wrapTtl?: number | undefined
}

/** Whether the caller may. Throws `denied` when not; the words say nothing of what is there. */
export async function authorize(core: Core, caller: Caller, wanted: Wanted): Promise<void> {
  const path = pathFor(caller, wanted.path)
  if (path === undefined) throw denied()
  const acl = await core.policies.aclOf(caller)
  const { capability, parameters, wrapTtl } = wanted
  const allows = (right: Capability) => acl.allows(right, path, parameters, wrapTtl)
  if (capability === 'sudo') {
    // A path of its own protection: the usual right, and sudo besides.
    const usual = usualCapability(wanted.operation)
    if (allows(usual) && acl.sudo(usual, path)) return
  } else if (typeof capability === 'string') {
    if (allows(capability)) return
  } else {
    const [create, update] = [allows('create'), allows('update')]
    if (create && update) return
    if (create !== update && allows(await capability())) return
  }
  throw denied()
}

/** Throws `denied` for a path that is not in the caller's namespace or below. */
export function checkWithin(caller: Caller, fullPath: string): void {
  if (pathFor(caller, fullPath) === undefined) throw denied()
}

function denied(): KeyferryError {
  return new KeyferryError('denied', 'permission denied')
}
