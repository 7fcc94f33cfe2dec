import { invalid, KeyferryError } from '../../../core/errors.ts'
import type { AuthMountRow, MountRow } from '../../../core/store.ts'
import type { SystemCall } from '../route.ts'

/** The mount at a path. One that is missing is a 400 in Vault, also to a read: clients look for its words, "No secret engine mount at". */
export function mountAt({ core, namespace }: SystemCall, path: string): Promise<MountRow> {
  return orBadRequest(core.mounts.at(namespace.id, path))
}

/** The auth mount at a path, likewise. */
export function authMountAt({ core, namespace }: SystemCall, path: string): Promise<AuthMountRow> {
  return orBadRequest(core.doors.mounts.at(namespace.id, path))
}

async function orBadRequest<T>(found: Promise<T>): Promise<T> {
  try {
    return await found
  } catch (error) {
    if (error instanceof KeyferryError && error.code === 'not_found') throw invalid(error.message)
    throw error
  }
}
