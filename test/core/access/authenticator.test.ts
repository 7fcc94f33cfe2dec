import { expect, it } from 'vitest'
import { Authenticator } from '../../../src/core/access/authenticator.ts'
import type { NamespaceRow, TokenStore } from '../../../src/core/store.ts'
import { testCore } from '../../support/gateway.ts'

it('does not remember what was revoked while it was looked at', async () => {
  const { core, store, close } = await testCore()
  await core.tokens.useOpaqueRoot('opaque', (await core.namespace('')) as NamespaceRow)
  // A store that answers late, as a server does: what it read is old by the time it is told.
  const { promise: held, resolve } = Promise.withResolvers<void>()
  let hold: Promise<void> | undefined = held
  const slow: TokenStore = {
    ...store.tokens,
    byDigest: async (digest) => {
      const row = await store.tokens.byDigest(digest)
      await hold
      return row
    },
  }
  const signer = { verify: async () => undefined } as never
  const authenticator = new Authenticator({
    context: core.context,
    store: { tokens: slow, namespaces: store.namespaces },
    signer,
  })
  const first = authenticator.authenticate('opaque')
  const { token } = await core.authenticator.authenticate('opaque')
  await store.tokens.revoke(token.id, 'revoke')
  authenticator.forget()
  resolve()
  await first
  hold = undefined
  await expect(authenticator.authenticate('opaque')).rejects.toMatchObject({ code: 'unauthenticated' })
  await close()
})
