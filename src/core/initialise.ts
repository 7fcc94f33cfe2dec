import { Authenticator } from './access/authenticator.ts'
import { newSigningKey, TokenSigner } from './access/signing.ts'
import { rootToken, TokenService } from './access/tokens.ts'
import { type Context, systemContext } from './context.ts'
import { newDataKey } from './seal/keyring.ts'
import type { RootKey } from './seal/root-key.ts'
import type { NamespaceRow, Store } from './store.ts'

/**
 * First start on an empty store: makes instance, root namespace, its data key, the token signing key and a mount at `keymgmt/`. Gives
 * the first root token, which is nowhere kept. Throws `already_exists` when the store was initialised before.
 */
export async function initialise(store: Store, root: RootKey, context: Context = systemContext): Promise<string> {
  const now = context.now()
  const namespace: NamespaceRow = {
    id: 'root',
    parentId: null,
    path: '',
    customMetadata: {},
    createdAt: now,
    deletedAt: null,
  }
  const { row: dataKey, sealer, zero } = newDataKey(root, namespace.id, now)
  const signingKey = newSigningKey(sealer, context.uuid(), now)
  const token = rootToken(context, namespace.id, 'auth/token/root')
  const instanceId = context.uuid()
  await store.meta.initialise({
    meta: { instance_id: instanceId, root_id: root.id },
    namespace,
    dataKey,
    signingKey,
    mount: {
      id: context.uuid(),
      namespaceId: namespace.id,
      path: 'keymgmt/',
      type: 'keymgmt',
      accessor: `keymgmt_${context.randomHex(4)}`,
      description: 'key management',
      config: {},
      createdAt: now,
    },
    token,
  })
  const signer = new TokenSigner(issuer(instanceId), [signingKey], sealer)
  const authenticator = new Authenticator({ context, store, signer })
  try {
    return await new TokenService({ context, store, signer, authenticator }).sign(token)
  } finally {
    zero()
  }
}

/** `iss` of the tokens of an instance. */
export function issuer(instanceId: string): string {
  return `urn:keyferry:${instanceId}`
}
