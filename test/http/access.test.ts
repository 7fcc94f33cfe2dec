import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Caller } from '../../src/core/access/authenticator.ts'
import { authorize } from '../../src/http/middleware/authorize.ts'
import { publicRoute, systemRoute } from '../../src/http/vault/route.ts'
import { publicRoutes } from '../../src/http/vault/sys/index.ts'
import { type Gateway, gateway, outcome } from './gateway.ts'

let vault: Gateway
beforeAll(async () => {
  vault = await gateway()
  await vault.send('PUT', 'keymgmt/key/k', { type: 'ecdsa-p256' })
})
afterAll(() => vault.close())

const paths: [string, string][] = [
  ['GET', 'keymgmt/key/k'],
  ['GET', 'keymgmt/key/missing'],
  ['LIST', 'keymgmt/key'],
  ['PUT', 'keymgmt/key/new'],
  ['DELETE', 'keymgmt/key/k'],
  ['PUT', 'keymgmt/key/k/rotate'],
  ['PATCH', 'keymgmt/key/k'],
  ['LOCK', 'keymgmt/key/k'],
  ['GET', 'keymgmt/nothing'],
  ['GET', 'nothing/at/all'],
  ['GET', 'sys/mounts'],
  ['PUT', 'sys/mounts/new'],
  ['GET', 'sys/nothing'],
  ['GET', 'auth/token/lookup-self'],
  ['GET', 'keymgmt/key?list=garbage'],
]

describe('without a good token', () => {
  it.each(paths)('%s %s is refused, whatever is there', async (method, path) => {
    for (const headers of [
      { 'x-vault-token': '' },
      { 'x-vault-token': 'wrong' },
      { 'x-vault-token': `${vault.rootToken}x` },
      { 'x-vault-token': vault.rootToken.replace(/\.[^.]+$/, '.') },
      { 'x-vault-token': '', authorization: `Basic ${vault.rootToken}` },
      { 'x-vault-token': '', authorization: 'Bearer ' },
      { 'x-vault-token': 'wrong', authorization: `Bearer ${vault.rootToken}` },
      { 'x-vault-token': '', 'x-vault-namespace': 'nowhere' },
    ]) {
      const reply = await vault.send(method, path, undefined, headers)
      expect([reply.status, reply.text]).toEqual([403, '{"errors":["permission denied"]}'])
    }
  })

  it('what is open is open, with any token', async () => {
    for (const { path } of publicRoutes) {
      for (const token of ['', 'wrong', vault.rootToken]) {
        expect((await vault.send('GET', path, undefined, { 'x-vault-token': token })).status).toBe(200)
      }
    }
    expect(publicRoutes.map(({ path }) => path)).toEqual(['sys/health', 'sys/seal-status', 'sys/init', 'sys/leader'])
  })
})

describe('the token', () => {
  it('may come as a bearer token', async () => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
      const headers = { 'x-vault-token': '', authorization: `${scheme} ${vault.rootToken}` }
      expect((await vault.send('GET', 'keymgmt/key/k', undefined, headers)).status).toBe(200)
    }
  })

  it('may be the opaque one of dev mode', async () => {
    const root = await vault.core.namespace('')
    if (!root) throw new Error('there is no root namespace')
    await vault.core.tokens.useOpaqueRoot('root', root)
    const reply = await vault.send('GET', 'auth/token/lookup-self', undefined, { 'x-vault-token': 'root' })
    expect(JSON.parse(reply.text).data).toMatchObject({ id: 'root', policies: ['root'], ttl: 0 })
  })
})

describe('authorize', () => {
  const caller = (namespacePath: string, policies: string[]) =>
    ({ namespacePath, token: { namespaceId: 'root', policies }, goodUntil: null }) as unknown as Caller
  const may = async (who: Caller, path: string) => {
    const wanted = { path: `${path}keymgmt/key/k`, operation: 'read', capability: 'read', parameters: {} } as const
    try {
      await authorize(vault.core, who, wanted)
      return true
    } catch (error) {
      expect(error).toMatchObject({ code: 'denied' })
      return false
    }
  }

  it('lets root policies do everything in their namespace and below, and nothing else', async () => {
    expect(await may(caller('', ['root']), '')).toBe(true)
    expect(await may(caller('', ['root']), 'a/b/')).toBe(true)
    expect(await may(caller('a', ['root']), 'a/')).toBe(true)
    expect(await may(caller('a', ['root']), 'a/b/')).toBe(true)
    expect(await may(caller('a', ['root']), '')).toBe(false)
    expect(await may(caller('a', ['root']), 'ab/')).toBe(false)
    expect(await may(caller('a', ['root']), 'b/a/')).toBe(false)
    expect(await may(caller('', ['default']), '')).toBe(false)
    expect(await may(caller('', []), '')).toBe(false)
  })

  it('refuses in Vault’s words', async () => {
    const root = await vault.core.authenticator.authenticate(vault.rootToken)
    const { authenticate } = vault.core.authenticator
    vault.core.authenticator.authenticate = async () => ({ ...root, token: { ...root.token, policies: ['default'] } })
    try {
      for (const [method, path] of paths.slice(0, 9)) {
        const reply = await vault.send(method, path)
        const message =
          method === 'LOCK' ? [405, 'unsupported operation'] : [403, '1 error occurred:\n\t* permission denied\n\n']
        expect(outcome(reply)).toEqual(message)
      }
      expect((await vault.send('GET', 'sys/health')).status).toBe(200)
    } finally {
      vault.core.authenticator.authenticate = authenticate
    }
  })
})

describe('namespaces', () => {
  it('the root has several names', async () => {
    for (const name of ['', '/', 'root', 'root/', '/root/']) {
      const reply = await vault.send('GET', 'keymgmt/key/k', undefined, { 'x-vault-namespace': name })
      expect(reply.status).toBe(200)
    }
  })

  it('one that is not there is like a mount that is not there', async () => {
    const message = 'no handler for route "keymgmt/key/k". route entry not found.'
    for (const name of ['a', 'a/b/', 'keymgmt', '..', 'root/root']) {
      expect(outcome(await vault.send('GET', 'keymgmt/key/k', undefined, { 'x-vault-namespace': name }))).toEqual([
        404,
        message,
      ])
    }
    expect(outcome(await vault.send('GET', 'a/keymgmt/key/k'))).toEqual([
      404,
      'no handler for route "a/keymgmt/key/k". route entry not found.',
    ])
  })

  it('are taken from header and path, one after the other', async () => {
    const { namespace } = vault.core
    const root = await namespace('')
    if (!root) throw new Error('there is no root namespace')
    vault.core.namespace = async (path) => (['', 'a', 'a/b'].includes(path) ? { ...root, path } : undefined)
    try {
      for (const [header, prefix] of [
        ['', 'a/b/'],
        ['a', 'b/'],
        ['a/b', ''],
        ['/a/', 'b/'],
      ]) {
        const reply = await vault.send('GET', `${prefix}keymgmt/key/k`, undefined, {
          'x-vault-namespace': header ?? '',
        })
        expect(reply.status).toBe(200)
      }
      expect((await vault.send('GET', 'a/b/sys/mounts')).status).toBe(200)
      expect((await vault.send('GET', 'a/auth/token/lookup-self')).status).toBe(200)
      expect(outcome(await vault.send('GET', 'b/sys/mounts'))).toEqual([
        404,
        'no handler for route "b/sys/mounts". route entry not found.',
      ])
    } finally {
      vault.core.namespace = namespace
    }
  })
})

describe('a route', () => {
  it('cannot be written down without a capability', () => {
    const text = { synopsis: 'x', description: 'y' }
    const handler = () => undefined
    // @ts-expect-error a capability is missing
    systemRoute('open', { ...text, read: { handler } })
    // @ts-expect-error this is none of the capabilities
    systemRoute('open', { ...text, read: { capability: 'look', handler } })
    // @ts-expect-error one that is open must say so
    publicRoute('open', { ...text, read: { handler } })
    expect(systemRoute('closed', { ...text, read: { capability: 'read', handler } }).operations.read?.capability).toBe(
      'read',
    )
  })
})
