import { invalid, KeyferryError } from '../../../core/errors.ts'
import type { MountRow } from '../../../core/store.ts'
import type { SystemCall } from '../route.ts'

/** The mount at a path. One that is missing is a 400 in Vault, also to a read: clients look for its words, "No secret engine mount at". */
export async function mountAt({ core, namespace }: SystemCall, path: string): Promise<MountRow> {
  try {
    return await core.mounts.at(namespace.id, path)
  } catch (error) {
    if (error instanceof KeyferryError && error.code === 'not_found') throw invalid(error.message)
    throw error
  }
}
