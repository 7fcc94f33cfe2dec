/**
 * What it costs to find out who calls and what they may, and how fast tokens are made. `node bench/access.ts` runs it alone; about half a
 * minute, most of it for making 1,000 namespaces.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Caller } from '../src/core/access/authenticator.ts'
import { systemContext } from '../src/core/context.ts'
import { type Core, createCore, initialise } from '../src/core/core.ts'
import { createKeyGenerator } from '../src/core/keys/pool.ts'
import { ProviderRegistry } from '../src/core/kms/registry.ts'
import { newRootKey } from '../src/core/seal/root-key.ts'
import type { NamespaceRow } from '../src/core/store.ts'
import { authorize } from '../src/http/middleware/authorize.ts'
import { openStore } from '../src/store/sqlite/index.ts'
import type { Row } from './keygen.ts'

const requests = 200_000
const rounds = 3
const tokens = 4_000
const clients = 64
const tenants = 1_000
const policies = 100

/** Measures on a database of its own. `manyTenants`: how many namespaces, each with 100 policies that one token has, one is compared with. */
export async function benchAccess(manyTenants = tenants): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'keyferry-bench-'))
  const store = openStore({ file: join(folder, 'keyferry.db') })
  const rootKey = newRootKey()
  const rootToken = await initialise(store, { ...rootKey, key: Buffer.from(rootKey.key) })
  const generator = createKeyGenerator({ pool: { 'rsa-2048': 0, 'rsa-3072': 0, 'rsa-4096': 0 } })
  const core = await createCore({ store, rootKey, registry: new ProviderRegistry(), generator, context: systemContext })
  try {
    const root = await core.authenticator.authenticate(rootToken)
    const one = await tenant(core, root, 'one')
    const many = [one]
    // Together, so that they share commits.
    for (let from = 0; from < manyTenants; from += 50) {
      const names = Array.from({ length: Math.min(50, manyTenants - from) }, (_, index) => `t${from + index}`)
      many.push(...(await Promise.all(names.map((name) => tenant(core, root, name)))))
    }
    const [alone, among] = await leastOf(rounds, [() => perRequest(core, [one]), () => perRequest(core, many)])
    const made = await tokenRate(core, root)
    return [
      { name: 'who calls, and may they read this key', value: alone, unit: 'ms', bar: '0.01 or less, of CPU' },
      {
        name: `the same among ${manyTenants} namespaces of ${policies} policies`,
        value: among,
        unit: 'ms',
        bar: '0.01 or less, of CPU',
      },
      { name: 'tokens made', value: made.rate, unit: '/s', bar: '1500 or more' },
      { name: 'CPU of a token', value: made.cpuMs, unit: 'ms' },
    ]
  } finally {
    await core.close()
    store.close()
    rmSync(folder, { recursive: true })
  }
}

/** Of rounds in which they take turns, the least of each: what other programs and the collector of garbage add is not theirs. */
async function leastOf(rounds: number, measures: readonly (() => Promise<number>)[]): Promise<[number, number]> {
  const least = measures.map(() => Number.POSITIVE_INFINITY)
  for (let round = 0; round < rounds; round++) {
    for (const [index, measure] of measures.entries()) least[index] = Math.min(least[index] ?? 0, await measure())
  }
  const [first = Number.NaN, second = Number.NaN] = least
  return [first, second]
}

interface Tenant {
  path: string
  token: string
}

async function tenant(core: Core, root: Caller, name: string): Promise<Tenant> {
  const namespace = await core.namespaces.create(await rootNamespace(core), name, {})
  const names = Array.from({ length: policies }, (_, index) => `p${index}`)
  await Promise.all(names.map((policy) => core.policies.put(namespace, policy, rulesOf(policy))))
  const { token } = await core.tokens.create(
    root,
    namespace,
    { policies: names },
    { sudo: true, path: 'auth/token/create' },
  )
  return { path: name, token }
}

function rulesOf(policy: string): string {
  return [`keymgmt/key/${policy}`, `keymgmt/key/${policy}/*`, `keymgmt/kms/+/key/${policy}`]
    .map((path) => `path "${path}" { capabilities = ["create", "read", "update", "delete", "list"] }`)
    .join('\n')
}

async function rootNamespace(core: Core): Promise<NamespaceRow> {
  const row = await core.namespace('')
  if (!row) throw new Error('there is no root namespace')
  return row
}

/** CPU of a request's question, in ms; the tenants take turns. */
async function perRequest(core: Core, tenants: readonly Tenant[]): Promise<number> {
  const ask = async ({ path, token }: Tenant, index: number) => {
    const caller = await core.authenticator.authenticate(token)
    await authorize(core, caller, {
      path: `${path}/keymgmt/key/p${index % policies}`,
      operation: 'read',
      capability: 'read',
      parameters: {},
    })
  }
  for (let index = 0; index < 20_000; index++) await ask(pick(tenants, index), index)
  const start = process.cpuUsage()
  for (let index = 0; index < requests; index++) await ask(pick(tenants, index), index)
  const { user, system } = process.cpuUsage(start)
  return (user + system) / 1000 / requests
}

function pick<T>(from: readonly T[], index: number): T {
  return from[index % from.length] as T
}

/** Service tokens, each durable before it is given out. */
async function tokenRate(core: Core, root: Caller): Promise<{ rate: number; cpuMs: number }> {
  const how = { sudo: true, path: 'auth/token/create' }
  let left = tokens
  const [start, cpu] = [performance.now(), process.cpuUsage()]
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (left-- > 0) await core.tokens.create(root, { id: 'root' }, { policies: ['default'], ttl: 3600 }, how)
    }),
  )
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(cpu)
  return { rate: tokens / seconds, cpuMs: (user + system) / 1000 / tokens }
}

if (import.meta.main) {
  console.log(`access: ${requests} requests, ${tokens} tokens, ${availableParallelism()} cores`)
  for (const { name, value, unit, bar } of await benchAccess()) {
    console.log(
      `${name.padEnd(52)} ${value.toFixed(5).padStart(12)} ${unit.padEnd(4)} ${bar === undefined ? '' : `(bar: ${bar})`}`,
    )
  }
}
