import { KeyferryError } from '../errors.ts'
import type { Awaitable } from '../store.ts'
import type { RootKey } from './root-key.ts'

/**
 * One way to come by a root key: a file, an environment variable, a credential of the service manager. Whatever takes longer (shares
 * that people bring, a key in a cloud that unwraps it) has the same shape, since `read` may answer later.
 */
export interface RootKeySource {
  /** Where it is, for messages. */
  name: string
  /** Throws a sentence that says what is wrong with it, and never repeats the key. */
  read(): Awaitable<RootKey>
}

/** What a process is started with: the root key, and during a rotation the one before it. */
export interface Unsealing {
  current: RootKeySource
  previous: RootKeySource | undefined
}

/** The root keys that a process holds. They are the holder's to zero. */
export interface RootKeys {
  current: RootKey
  previous: RootKey | undefined
}

/** Reads the root keys. A previous key that is the current one once more is none. Throws what the sources throw. */
export async function unseal({ current, previous }: Unsealing): Promise<RootKeys> {
  const first = await current.read()
  try {
    const second = await previous?.read()
    if (second?.id === first.id) {
      second.key.fill(0)
      return { current: first, previous: undefined }
    }
    return { current: first, previous: second }
  } catch (error) {
    first.key.fill(0)
    throw error
  }
}

/**
 * The one of the root keys that the store names. Throws `corrupt` when it is none of them: nothing could be opened, and what would be
 * sealed could not be opened by others.
 */
export function namedRoot(named: string, { current, previous }: RootKeys): RootKey {
  if (current.id === named) return current
  if (previous?.id === named) return previous
  const wants = `the database wants ${named}`
  throw new KeyferryError(
    'corrupt',
    previous
      ? `neither the root key nor the previous one is that of this database: they have the ids ${current.id} and ${previous.id}, ${wants}`
      : `the root key is not the one of this database: it has id ${current.id}, ${wants}`,
  )
}

/** Both, as far as they are there. */
export function listRoots({ current, previous }: RootKeys): RootKey[] {
  return previous ? [current, previous] : [current]
}

export function zeroRoots(roots: RootKeys): void {
  for (const root of listRoots(roots)) root.key.fill(0)
}
