import { beforeAll, describe, expect, it } from 'vitest'
import { outcome } from './gateway.ts'
import { admin, as, dataOf, good, makeNamespace, tokenWith } from './tenants.ts'
import { clock, make, root, second, serveTwice, vault } from './token-gateways.ts'

serveTwice()

describe('signing keys', () => {
  beforeAll(() => makeNamespace(vault, 'a'))

  const kidOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid
  const published = async () => {
    const response = await vault.app.request('http://gateway/oauth/jwks')
    return ((await response.json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid)
  }

  it('rotate with overlap: published before they sign, and good for what they signed', async () => {
    const [old] = await published()
    const before = await make({ policies: 'one' })
    expect(kidOf(before.client_token)).toBe(old)
    const rotated = dataOf(await good(root('POST', 'sys/rotate/signing-key')))
    expect(await published()).toEqual([rotated.kid, old])
    expect(kidOf((await make({ policies: 'one' })).client_token)).toBe(old)
    expect((await root('POST', 'sys/rotate/signing-key')).status).toBe(400)
    clock.late += 10 * 60_000 + 1_000
    // In both processes from the same time on, which each takes what the other signed.
    const mine = await make({ policies: 'one' })
    const made = await second.send('POST', 'auth/token/create', { policies: 'one' })
    const theirs = JSON.parse(made.text).auth.client_token
    expect([kidOf(mine.client_token), kidOf(theirs)]).toEqual([rotated.kid, rotated.kid])
    for (const gateway of [vault, second]) {
      for (const token of [before.client_token, mine.client_token, theirs, vault.rootToken]) {
        expect(
          (await gateway.send('GET', 'auth/token/lookup-self', undefined, { 'x-vault-token': token })).status,
        ).toBe(200)
      }
    }
    const keys = dataOf(await root('GET', 'sys/rotate/signing-key')).keys
    expect(keys).toMatchObject([
      { kid: rotated.kid, retired_time: null },
      { kid: old, retired_time: rotated.signs_from },
    ])
    expect(JSON.stringify(keys)).not.toMatch(/"(d|box|x|y)"/)
  })

  it('are no tenant’s business', async () => {
    const alice = as(vault, await tokenWith(vault, 'a', admin), 'a')
    for (const method of ['GET', 'POST']) {
      expect(outcome(await alice(method, 'sys/rotate/signing-key'))).toEqual([404, 'unsupported path'])
    }
    expect(await published()).toHaveLength(2)
  })

  it('are forgotten once no token of theirs can be good', async () => {
    const [newest] = await published()
    const early = clock.late
    clock.late += 10 * 365 * 86_400_000
    expect(await vault.core.signingKeys.prune()).toBe(0)
    clock.late += 2 * 86_400_000
    expect(await vault.core.signingKeys.prune()).toBe(1)
    expect(await published()).toEqual([newest])
    clock.late = early
    // What it signed is no token any more, here and in the other process.
    vault.core.authenticator.forget()
    for (const gateway of [vault, second]) {
      expect((await gateway.send('GET', 'auth/token/lookup-self')).status).toBe(403)
    }
  })
})
