import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PolicyService } from '../../../src/core/access/policies.ts'
import { KeyferryError } from '../../../src/core/errors.ts'
import type { NamespaceRow, PolicyStore } from '../../../src/core/store.ts'
import { type TestCore, testCore } from '../../support/gateway.ts'

let gateway: TestCore
beforeAll(async () => {
  gateway = await testCore()
})
afterAll(() => gateway.close())

const code = async (work: Promise<unknown>) =>
  await work.then(
    () => 'done',
    (error: unknown) => (error instanceof KeyferryError ? error.code : String(error)),
  )

const name = fc.constantFrom('a', 'b', 'A', 'c.d', 'x')
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))
const step = fc.record({ do: fc.constantFrom('create', 'create', 'create', 'delete', 'mount', 'remake'), path })

it('a tree of namespaces is what a list of paths says, whatever happens to it', { timeout: 60_000 }, async () => {
  const { core } = gateway
  const rootRow = (await core.namespace('')) as NamespaceRow
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      /** path -> id */
      const model = new Map<string, string>()
      const seen = new Set<string>()
      const mounted = new Set<string>()
      const parentOf = (path: string) => (path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '')
      const childrenOf = (path: string) => [...model.keys()].filter((one) => parentOf(one) === path).sort()
      const under = (path: string) => [...mounted].filter((one) => one === path)
      for (const { do: what, path } of steps) {
        const parent = parentOf(path)
        const parentThere = parent === '' || model.has(parent)
        if (what === 'create' || what === 'remake') {
          const result = await core.namespaces.create(rootRow, path, {}).catch((error: unknown) => error)
          if (!parentThere) expect(result).toMatchObject({ code: 'not_found' })
          else if (under(path).length > 0) expect(result).toMatchObject({ code: 'conflict' })
          else {
            const { id } = result as NamespaceRow
            if (model.has(path)) expect(id).toBe(model.get(path))
            else expect(seen.has(id)).toBe(false)
            seen.add(id)
            model.set(path, id)
          }
        } else if (what === 'mount') {
          // At the place of a namespace that could be there.
          const at = parent === '' ? rootRow : await core.namespace(parent)
          if (!at) continue
          const result = await code(
            core.mounts.create(at.id, path.slice(parent === '' ? 0 : parent.length + 1), { type: 'keymgmt' }),
          )
          expect(result).toBe(model.has(path) || mounted.has(path) ? 'invalid' : 'done')
          if (result === 'done') mounted.add(path)
        } else {
          const row = await core.namespace(path)
          expect(row?.id).toBe(model.get(path))
          if (!row) continue
          const result = await code(core.namespaces.delete(row, false))
          expect(result).toBe(childrenOf(path).length > 0 ? 'invalid' : 'done')
          if (result !== 'done') continue
          model.delete(path)
          for (const one of [...mounted]) if (one.startsWith(`${path}/`)) mounted.delete(one)
        }
        for (const one of ['a', 'a/a', 'A', 'b', 'a/b', path])
          expect((await core.namespace(one))?.id).toBe(model.get(one))
        const listed =
          parentThere &&
          (await core.namespaces.list(parent === '' ? rootRow : ((await core.namespace(parent)) as NamespaceRow)))
        if (listed) expect(listed.map((row) => row.path)).toEqual(childrenOf(parent))
      }
      for (const one of [...model.keys()].sort((a, b) => b.length - a.length)) {
        await core.namespaces.delete((await core.namespace(one)) as NamespaceRow, false)
      }
      for (const one of mounted) if (!one.includes('/')) await core.mounts.remove('root', one)
    }),
    { numRuns: 40 },
  )
})

it('are nested 16 deep, and no deeper', async () => {
  const { core } = gateway
  const rootRow = (await core.namespace('')) as NamespaceRow
  const parts = Array.from({ length: 17 }, (_, index) => `n${index}`)
  for (let depth = 1; depth <= 16; depth++) await core.namespaces.create(rootRow, parts.slice(0, depth).join('/'), {})
  await expect(core.namespaces.create(rootRow, parts.join('/'), {})).rejects.toThrow('namespaces can be nested 16 deep')
  const deepest = (await core.namespace(parts.slice(0, 16).join('/'))) as NamespaceRow
  expect((await core.namespaces.lineage(deepest)).map((row) => row.path)).toEqual([
    ...parts.slice(0, 16).map((_, index) => parts.slice(0, 16 - index).join('/')),
    '',
  ])
})

describe('policies that are changed while they are read', () => {
  it('are not remembered as they were', async () => {
    const texts = new Map([['p', 'path "x" { capabilities = ["read"] }']])
    let hold: Promise<void> | undefined
    const store: PolicyStore = {
      get: async (_, one) => {
        const text = texts.get(one)
        await hold
        return text
      },
      names: () => [...texts.keys()],
      put: async (_, one, rules) => void texts.set(one, rules),
      remove: async (_, one) => void texts.delete(one),
    }
    const policies = new PolicyService(store)
    const { promise, resolve } = Promise.withResolvers<void>()
    hold = promise
    const reading = policies.aclOfSet('n', ['p'])
    const namespace = { id: 'n' } as NamespaceRow
    await policies.put(namespace, 'p', 'path "x" { capabilities = ["deny"] }')
    resolve()
    await reading
    expect((await policies.aclOfSet('n', ['p'])).allows('read', 'x')).toBe(false)
  })
})
