import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { doorRoutes } from '../../src/http/vault/auth/doors.ts'
import { tokenRoutes } from '../../src/http/vault/auth/index.ts'
import { keymgmtRoutes } from '../../src/http/vault/keymgmt/index.ts'
import { publicRoutes, sysRoutes } from '../../src/http/vault/sys/index.ts'
import { type Gateway, gateway, outcome } from './gateway.ts'

let vault: Gateway
beforeAll(async () => {
  vault = await gateway()
  for (const type of Object.keys(doorRoutes)) await vault.send('POST', `sys/auth/my-${type}`, { type })
})
afterAll(() => vault.close())

const groups = [
  ['keymgmt/', keymgmtRoutes],
  ['sys/', sysRoutes],
  ['auth/token/', tokenRoutes],
  ...Object.entries(doorRoutes).map(([type, { routes, login }]) => [`auth/my-${type}/`, [...routes, login]] as const),
] as const
const cases = groups.flatMap(([prefix, routes]) =>
  routes.map((route) => [prefix + route.path.replace(/:\w+\+?/g, 'x'), route] as const),
)

describe('?help=1', () => {
  it.each(cases)('%s has its help', async (path, { path: pattern, synopsis }) => {
    const reply = await vault.send('GET', `${path}?help=1`)
    expect(reply.status).toBe(200)
    const { help } = JSON.parse(reply.text)
    expect(help).toContain(`Request:        ${path}\nMatching Route: ${pattern}\n\n${synopsis}\n\n## DESCRIPTION\n`)
  })

  it.each(publicRoutes)('$path has its help, without a token', async ({ path, synopsis }) => {
    const reply = await vault.send('GET', `${path}?help=true`, undefined, { 'x-vault-token': '' })
    expect([reply.status, JSON.parse(reply.text).help]).toEqual([200, expect.stringContaining(synopsis)])
  })

  it.each(groups)('%s lists all that is below it', async (prefix, routes) => {
    for (const path of [prefix, prefix.slice(0, -1)]) {
      const { help } = JSON.parse((await vault.send('GET', `${path}?help=1`)).text)
      for (const { path: pattern, synopsis } of routes) expect(help).toContain(`    ${pattern}\n        ${synopsis}\n`)
    }
  })

  it('is not asked for by ?help=0, and is no help where there is nothing', async () => {
    expect(outcome(await vault.send('GET', 'keymgmt/key/x?help=0'))).toEqual([404])
    expect(outcome(await vault.send('GET', 'keymgmt/none?help=1'))).toEqual([404, 'unsupported path'])
    expect(outcome(await vault.send('GET', 'keymgmt/key/x?help=x'))).toEqual([
      400,
      'query parameter "help" must be true or false, not "x"',
    ])
  })

  it('needs a token where the path does', async () => {
    expect(outcome(await vault.send('GET', 'keymgmt/key/x?help=1', undefined, { 'x-vault-token': '' }))).toEqual([
      403,
      'permission denied',
    ])
  })
})

describe('the path of a login', () => {
  it.each(['GET', 'DELETE', 'LIST'])('does not take %s', async (method) => {
    expect(outcome(await vault.send(method, 'auth/my-approle/login'))).toEqual([405, 'unsupported operation'])
  })
})
