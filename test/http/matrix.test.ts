import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { doorTables, keymgmtTable, publicTable, sysTable, tokenTable } from '../../src/http/route-tables.ts'
import { type Gateway, gateway, outcome, type Reply } from './gateway.ts'
import { appExpectations, bodies, expectations, operatorExceptions, publicExpectations } from './matrix-table.ts'
import { admin, as, good, makeNamespace, tokenWith } from './tenants.ts'

/**
 * Every route of the router × everybody who may come: a route that is not in the table of expectations (matrix-table.ts) fails here, and
 * so does one that asks for another right than it says.
 */
const methods = { read: 'GET', list: 'LIST', write: 'POST', patch: 'PATCH', delete: 'DELETE' } as const
type OperationName = keyof typeof methods

const tables = {
  sys: sysTable.routes,
  'auth/token': tokenTable.routes,
  keymgmt: keymgmtTable.routes,
  'auth/approle': doorTables.get('approle')?.routes ?? [],
  'auth/jwt': doorTables.get('jwt')?.routes ?? [],
}
const routes = Object.entries(tables).flatMap(([prefix, all]) =>
  all.flatMap(({ path, operations }) =>
    (Object.keys(operations) as OperationName[]).map((operation) => {
      const capability = operations[operation]?.capability
      return {
        operation,
        route: `${prefix}/${path}`,
        capability: typeof capability === 'string' ? capability : 'create|update',
        path: `${prefix}/${path}`.replace(/:\w+\+?/g, 'x'),
      }
    }),
  ),
)

let late = 0
let vault: Gateway
let others: Record<string, { token: string; namespace: string }>
beforeAll(async () => {
  vault = await gateway({}, { context: { now: () => Date.now() + late } })
  for (const namespace of ['t', 'o', 't/below']) {
    await makeNamespace(vault, namespace)
    const root = as(vault, vault.rootToken, namespace)
    await good(root('POST', 'sys/auth/approle', { type: 'approle' }))
    await good(root('POST', 'sys/auth/jwt', { type: 'jwt' }))
  }
  const expired = await tokenWith(vault, 't', admin, { ttl: 1 })
  late = 2_000
  const revoked = await tokenWith(vault, 't', admin)
  await good(as(vault, vault.rootToken, 't')('POST', 'auth/token/revoke', { token: revoked }))
  const parent = await tokenWith(vault, 't', admin)
  const orphaned = await good(as(vault, parent, 't')('POST', 'auth/token/create', {}))
  await good(as(vault, vault.rootToken, 't')('POST', 'auth/token/revoke', { token: parent }))
  others = {
    'no token': { token: '', namespace: 't' },
    'a bad one': { token: 'wrong', namespace: 't' },
    'one that was changed': { token: `${(await tokenWith(vault, 't', admin)).slice(0, -8)}AAAAAAAA`, namespace: 't' },
    'an expired one': { token: expired, namespace: 't' },
    'a revoked one': { token: revoked, namespace: 't' },
    'the child of a revoked one': { token: tokenOf(orphaned), namespace: 't' },
    'another tenant’s': { token: await tokenWith(vault, 'o', admin), namespace: 't' },
    'that of a namespace below': { token: await tokenWith(vault, 't/below', admin), namespace: 't' },
    'its own, in another namespace': { token: await tokenWith(vault, 't', admin), namespace: 'o' },
    'its own, in the root': { token: await tokenWith(vault, 't', admin), namespace: '' },
    'its own, in none': { token: await tokenWith(vault, 't', admin), namespace: 'nowhere' },
    'the parent’s, with rights to its own paths only': {
      token: await tokenWith(
        vault,
        '',
        ['sys', 'auth', 'keymgmt', 'oauth'].map((one) => rule(`${one}/*`, [...all, 'sudo'])).join('\n'),
      ),
      namespace: 't',
    },
    'one without any policy': { token: await tokenWith(vault, 't', rule('nothing', ['read'])), namespace: 't' },
  }
})
afterAll(() => vault.close())

const all = ['create', 'read', 'update', 'patch', 'delete', 'list']
const rule = (path: string, capabilities: string[]) =>
  `path "${path}" { capabilities = ${JSON.stringify(capabilities)} }`
const tokenOf = (reply: Reply): string => JSON.parse(reply.text).auth.client_token

/** A token of the tenant that has these capabilities everywhere; a new one each time, since some routes end it. */
async function tokenFor(capabilities: string[]): Promise<string> {
  const namespaceId = (await vault.core.namespace('t'))?.id ?? ''
  const name = `caps-${capabilities.join('-')}`
  const namespace = await vault.core.namespace('t')
  if (!namespace) throw new Error('there is no namespace')
  if (!(await vault.core.policies.names(namespace)).includes(name))
    await vault.core.policies.put(namespace, name, rule('*', capabilities))
  return (await vault.core.tokens.issue(namespaceId, null, [name], {}, { path: 'auth/token/create' })).token
}

async function ask(route: (typeof routes)[number], token: string, namespace = 't'): Promise<Reply> {
  const body =
    bodies[`${route.operation} ${route.route}`] ?? (['write', 'patch'].includes(route.operation) ? {} : undefined)
  const type = route.operation === 'patch' ? { 'content-type': 'application/merge-patch+json' } : {}
  return await as(vault, token, namespace)(methods[route.operation], route.path, body, type)
}

const refused = ['permission denied', '1 error occurred:\n\t* permission denied\n\n']

describe('the table', () => {
  it('names every route of the router, with the right that it asks for, and no other', () => {
    const known = expectations.map(({ operation, route, capability }) => `${operation} ${route} ${capability}`)
    expect(known.sort()).toEqual(
      routes.map(({ operation, route, capability }) => `${operation} ${route} ${capability}`).sort(),
    )
    expect([...publicTable.keys()]).toEqual(Object.keys(publicExpectations))
    const served = vault.app.routes.map(({ method, path }) => `${method} ${path}`)
    expect([...new Set(served)].sort()).toEqual(Object.keys(appExpectations).sort())
  })
})

describe.each(routes)('$operation $route', (route) => {
  const expected = expectations.find((one) => one.operation === route.operation && one.route === route.route)
  const needed =
    route.capability === 'sudo'
      ? [route.operation === 'write' ? 'update' : route.operation, 'sudo']
      : [route.capability]

  it('is refused to whoever has no right to it', async () => {
    for (const [who, { token, namespace }] of Object.entries(others)) {
      const reply = await ask(route, token, namespace)
      expect([who, ...outcome(reply)]).toEqual([who, 403, expect.toBeOneOf(refused)])
    }
  })

  it('is refused with every capability but the one that it needs', async () => {
    // What is not there yet is made: where `create` and `update` differ, it is `create` that is asked for.
    const right = needed[0] === 'create|update' ? 'create' : needed[0]
    for (const one of [...all, 'sudo'].filter((one) => one !== right || needed.length > 1)) {
      expect([one, (await ask(route, await tokenFor([one]))).status]).toEqual([one, 403])
    }
    const rest = [...all, 'sudo'].filter((one) => one !== right)
    expect((await ask(route, await tokenFor(rest))).status).toBe(403)
    if (needed.length > 1) expect((await ask(route, await tokenFor(all))).status).toBe(403)
  })

  it('is answered with the one that it needs', async () => {
    const right = needed[0] === 'create|update' ? ['create'] : needed
    const reply = await ask(route, await tokenFor(right))
    expect(reply.status).toBe(expected?.status)
    // And to the operator, whose token is the root namespace's.
    const operator = await vault.core.tokens.issue('root', null, ['root'], { ttl: 60 }, { path: 'auth/token/create' })
    const status = operatorExceptions[`${route.operation} ${route.route}`] ?? expected?.status
    expect((await ask(route, operator.token)).status).toBe(status)
  })
})

describe('what is open to everybody', () => {
  it.each(Object.entries(publicExpectations))('%s', async (path, status) => {
    for (const token of ['', 'wrong', vault.rootToken]) {
      expect((await as(vault, token)('GET', path)).status).toBe(status)
    }
    for (const method of ['DELETE', 'PATCH', 'LIST']) {
      expect((await as(vault, '')(method, path)).status).toBe(405)
    }
  })

  it.each(Object.entries(appExpectations))('%s', async (served, status) => {
    const [method = '', path = ''] = served.split(' ')
    const response = await vault.app.request(`http://gateway${path.replace('*', 'x')}`, {
      method: method === 'ALL' ? 'GET' : method,
      ...(method === 'POST' ? { body: new URLSearchParams({ token: 'x', grant_type: 'client_credentials' }) } : {}),
    })
    expect(response.status).toBe(status)
  })

  it('a login, which has nothing but its own check', async () => {
    for (const [path, body] of [
      ['auth/approle/login', { role_id: 'x', secret_id: 'y' }],
      ['auth/jwt/login', { jwt: 'x', role: 'y' }],
    ] as const) {
      for (const token of ['', 'wrong', vault.rootToken, others['an expired one']?.token ?? '']) {
        const reply = await as(vault, token, 't')('POST', path, body)
        expect([reply.status, reply.text]).not.toEqual([200, expect.anything()])
        expect(reply.status).toBe(400)
        for (const method of ['GET', 'DELETE', 'LIST']) {
          expect((await as(vault, token, 't')(method, path)).status).toBe(token === vault.rootToken ? 405 : 403)
        }
      }
    }
  })
})
