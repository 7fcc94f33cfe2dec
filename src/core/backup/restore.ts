import { Authenticator } from '../access/authenticator.ts'
import { newSigningKey, TokenSigner } from '../access/signing.ts'
import { rootToken, TokenService } from '../access/tokens.ts'
import type { Context } from '../context.ts'
import { KeyferryError } from '../errors.ts'
import { Keyring } from '../seal/keyring.ts'
import { listRoots, namedRoot, type RootKeys } from '../seal/unsealing.ts'
import type { Store } from '../store.ts'
import type { Revoked } from './restore-store.ts'

export interface Restored {
  /** The one token that works. */
  token: string
  revoked: Revoked
}

/**
 * Makes a database that came out of a backup fit to be used: whoever had access when it was made has it no more, and nothing is sent to any
 * cloud until it is released. All in one change, or none. Throws `corrupt` when the root keys are not those of the database. The root keys
 * stay the caller's.
 */
export async function makeRestored(
  store: Store,
  roots: RootKeys,
  backupMadeAt: number,
  context: Context,
): Promise<Restored> {
  const instanceId = await store.meta.get('instance_id')
  const named = await store.meta.get('root_id')
  if (instanceId === undefined || named === undefined)
    throw new KeyferryError('corrupt', 'the backup holds a database that was never initialised')
  namedRoot(named, roots)
  const copies = listRoots(roots).map(({ id, key }) => ({ id, key: Buffer.from(key) }))
  const keyring = new Keyring(copies, store.namespaces, () => named)
  try {
    const now = context.now()
    const sealer = await keyring.forNamespace('root')
    const signingKey = newSigningKey(sealer, context.uuid(), now)
    const token = rootToken(context, 'root', 'auth/token/root')
    const revoked = await store.restore.restored({ hold: { since: now, backupMadeAt }, signingKey, token })
    const signer = new TokenSigner(`urn:keyferry:${instanceId}`, [signingKey], sealer)
    const authenticator = new Authenticator({ context, store, signer })
    return { token: await new TokenService({ context, store, signer, authenticator }).sign(token), revoked }
  } finally {
    keyring.close()
  }
}
