import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dataOf, type Gateway, gateway, outcome } from './gateway.ts'

let vault: Gateway
beforeAll(async () => {
  vault = await gateway()
  await vault.send('PUT', 'keymgmt/key/k', { type: 'ecdsa-p256' })
  await vault.send('PUT', 'keymgmt/kms/p', { provider: 'memory', key_collection: 'vault' })
})
afterAll(() => vault.close())

describe('methods', () => {
  const read = ['GET']
  const list = ['LIST']
  const write = ['POST', 'PUT']
  const all = ['GET', 'LIST', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'LOCK', 'LINK']
  const paths: [string, string[]][] = [
    ['keymgmt/key', list],
    ['keymgmt/key/k', [...read, ...write, 'DELETE']],
    ['keymgmt/key/k/rotate', write],
    ['keymgmt/key/k/kms', list],
    ['keymgmt/kms', list],
    ['keymgmt/kms/p', [...read, ...write, 'DELETE']],
    ['keymgmt/kms/p/key', list],
    ['keymgmt/kms/p/key/k', [...read, ...write, 'DELETE']],
    ['keymgmt/kms/p/key/k/replicate', write],
    ['sys/mounts', read],
    ['sys/mounts/keymgmt', [...read, ...write, 'DELETE']],
    ['sys/mounts/keymgmt/tune', [...read, ...write]],
    ['sys/internal/ui/mounts', read],
    ['sys/internal/ui/mounts/keymgmt', read],
    ['sys/health', ['GET', 'HEAD']],
    ['sys/seal-status', ['GET', 'HEAD']],
    ['sys/leader', ['GET', 'HEAD']],
    ['sys/init', ['GET', 'HEAD', ...write]],
    ['auth/token/lookup-self', read],
  ]
  const cases = paths.flatMap(([path, allowed]) =>
    all.filter((method) => !allowed.includes(method)).map((method) => [method, path] as const),
  )

  it.each(cases)('%s %s is an unsupported operation', async (method, path) => {
    const reply = await vault.send(method, path)
    expect(reply.status).toBe(405)
    expect(reply.text).toBe(method === 'HEAD' ? '' : '{"errors":["unsupported operation"]}')
  })

  it('has POST and PUT mean the same', async () => {
    for (const method of ['POST', 'PUT']) {
      expect(outcome(await vault.send(method, `keymgmt/key/by-${method}`, { type: 'ecdsa-p256' }))).toEqual([204])
      expect(outcome(await vault.send(method, `keymgmt/key/by-${method}/rotate`))).toEqual([204])
      expect(dataOf(await vault.send('GET', `keymgmt/key/by-${method}`)).latest_version).toBe(2)
    }
  })
})

describe('paths that are not there', () => {
  it.each([
    'keymgmt',
    'keymgmt/',
    'keymgmt/config',
    'keymgmt/key/k/rotate/x',
    'keymgmt/key//k',
    'keymgmt/kms/p/key/k/x',
    'sys',
    'sys/nothing',
    'sys/mounts//tune/x/tune/',
    'auth/token',
    'auth/token/nothing',
  ])('%s is an unsupported path', async (path) => {
    for (const method of ['GET', 'LIST', 'PUT', 'DELETE', 'PATCH', 'HEAD']) {
      if (path.startsWith('sys/mounts')) continue
      const reply = await vault.send(method, path)
      expect([reply.status, reply.text]).toEqual([404, method === 'HEAD' ? '' : '{"errors":["unsupported path"]}'])
    }
  })

  it.each([
    'nothing',
    'nothing/key/k',
    'keymgm/key',
    'keymgmtx/key',
    'auth',
    'auth/approle/login',
    'identity/entity',
    'cubbyhole/x',
    '/keymgmt/key',
    '',
  ])('nothing handles "%s"', async (path) => {
    const shown = path.replace(/\/+$/, '')
    for (const method of ['GET', 'LIST', 'PUT', 'DELETE']) {
      expect(outcome(await vault.send(method, path))).toEqual([
        404,
        `no handler for route "${shown}". route entry not found.`,
      ])
    }
  })

  it('says so in JSON outside of /v1/ too', async () => {
    for (const url of ['http://gateway/', 'http://gateway/v2/x', 'http://gateway/v1x']) {
      const response = await vault.app.request(url)
      expect([response.status, await response.text()]).toEqual([
        404,
        '{"errors":["unsupported path: the API is under /v1/"]}',
      ])
    }
    const encoded = await vault.app.request('http://gateway/%761/keymgmt/key')
    expect([encoded.status, await encoded.text()]).toEqual([404, '{"errors":["unsupported path"]}'])
  })
})

describe('help', () => {
  it('comes from the text beside the code', async () => {
    const reply = await vault.send('GET', 'keymgmt/key/k/rotate?help=1')
    const { help, see_also } = JSON.parse(reply.text)
    expect([reply.status, see_also]).toEqual([200, null])
    expect(help).toContain(
      'Request:        keymgmt/key/k/rotate\nMatching Route: key/:name/rotate\n\nAdd a version with new material.\n',
    )
    expect(outcome(await vault.send('GET', 'keymgmt/nothing?help=1'))).toEqual([404, 'unsupported path'])
    expect(outcome(await vault.send('GET', 'keymgmt/key/k?help=no'))).toEqual([
      400,
      'query parameter "help" must be true or false, not "no"',
    ])
    expect(outcome(await vault.send('GET', 'keymgmt/key/k?help=1', undefined, { 'x-vault-token': '' }))).toEqual([
      403,
      'permission denied',
    ])
  })
})

describe('headers that clients send', () => {
  it('are tolerated', async () => {
    const headers = {
      'x-vault-request': 'true',
      'x-vault-index': 'djE6',
      'x-vault-policy-override': 'true',
      'x-vault-mfa': 'x',
    }
    expect((await vault.send('GET', 'keymgmt/key/k', undefined, headers)).status).toBe(200)
  })

  it('are answered with exactly application/json, and never kept by caches on the way', async () => {
    for (const path of ['keymgmt/key/k', 'keymgmt/key/none', 'nothing', 'sys/health']) {
      const { headers } = await vault.send('GET', path)
      expect(headers.get('content-type')).toBe('application/json')
      expect(headers.get('cache-control')).toBe('no-store')
    }
  })
})
