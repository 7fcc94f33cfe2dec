import { KeyferryError } from '../../core/errors.ts'

/** Which capability a write needs: takes a read of the object under way. */
export async function createOrUpdate(read: Promise<unknown>): Promise<'create' | 'update'> {
  try {
    await read
    return 'update'
  } catch (error) {
    if (error instanceof KeyferryError && (error.code === 'not_found' || error.code === 'invalid')) return 'create'
    throw error
  }
}
