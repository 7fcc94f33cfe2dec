import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Caller } from '../../../src/core/access/authenticator.ts'
import type { Issued } from '../../../src/core/access/tokens.ts'
import { type TestCore, testCore } from '../../support/gateway.ts'

/**
 * Tokens made, renewed, used up, revoked and left to end in any order, by two processes' worth of memory (one that remembers, one that
 * looks anew), against a model that knows no store, no cache and no recursion in SQL.
 */
let time = 1_800_000_000_000
let gateway: TestCore
let root: Caller
beforeAll(async () => {
  gateway = await testCore({ context: { now: () => time } })
  root = await gateway.core.authenticator.authenticate(gateway.rootToken)
})
afterAll(() => gateway.close())

interface Modelled {
  issued: Issued
  parent: Modelled | undefined
  revoked: boolean
  expiresAt: number
  /** What it can never outlive, by its own terms. */
  bound: number
  period: number
  creationTtl: number
  uses: number
  batch: boolean
}

/** Good as long as it and all above it are. */
function isGood(token: Modelled): boolean {
  const own = !token.revoked && token.expiresAt > time
  return own && (token.parent === undefined || isGood(token.parent))
}

const day = 86_400
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('make' as const),
      at: fc.nat(),
      ttl: fc.integer({ min: 1, max: 40 * day }),
      orphan: fc.boolean(),
      kind: fc.constantFrom('service', 'batch', 'periodic', 'bounded', 'counted'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('renew' as const),
      at: fc.nat(),
      by: fc.integer({ min: 0, max: 40 * day }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('revoke' as const), at: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('orphan' as const), at: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('use' as const), at: fc.nat() }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 10 * day }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('sweep' as const) }) },
)

it('a tree of tokens is what the model says, whatever happens to it', { timeout: 60_000 }, async () => {
  const { core, store } = gateway
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const all: Modelled[] = []
      const pick = (at: number) => all[at % all.length]
      const callerOf = (token: Modelled) => core.authenticator.find(token.issued.token)

      for (const one of steps) {
        if (one.do === 'wait') {
          time += one.seconds * 1000
        } else if (one.do === 'sweep') {
          await store.tokens.expire(time, 1000)
        } else if (one.do === 'make') {
          const parent = one.at % 3 === 0 ? undefined : pick(one.at)
          const by = parent === undefined ? root : await callerOf(parent)
          if (parent && (!isGood(parent) || parent.batch || parent.uses > 0)) {
            if (by)
              await expect(core.tokens.create(by, { id: 'root' }, {}, { sudo: true, path: 'x' })).rejects.toThrow()
            continue
          }
          if (!by) throw new Error('a good token was not found')
          const maximum = 32 * day
          const periodic = one.kind === 'periodic'
          const explicit = one.kind === 'bounded' ? one.ttl + 1000 : 0
          const input = {
            policies: ['reader'],
            ...(periodic ? { period: one.ttl } : { ttl: one.ttl }),
            ...(explicit ? { explicitMaxTtl: explicit } : {}),
            ...(one.kind === 'counted' ? { numUses: 2 } : {}),
            ...(one.kind === 'batch' ? { type: 'batch' } : {}),
            noParent: one.orphan,
          }
          const issued = await core.tokens.create(by, { id: 'root' }, input, { sudo: true, path: 'x' })
          const ttl = Math.min(one.ttl, explicit || maximum, maximum)
          expect(issued.row.expiresAt).toBe(time + ttl * 1000)
          all.push({
            issued,
            parent: one.orphan ? undefined : parent,
            revoked: false,
            expiresAt: time + ttl * 1000,
            bound: periodic ? Number.POSITIVE_INFINITY : time + Math.min(explicit || maximum, maximum) * 1000,
            period: periodic ? ttl : 0,
            creationTtl: ttl,
            uses: one.kind === 'counted' ? 2 : 0,
            batch: one.kind === 'batch',
          })
        } else {
          const token = pick(one.at)
          if (!token) continue
          const good = isGood(token)
          if (one.do === 'use') {
            const used = core.authenticator.authenticate(token.issued.token)
            if (good) await used
            else await expect(used).rejects.toMatchObject({ code: 'unauthenticated' })
            if (good && token.uses > 0) {
              token.uses -= 1
              if (token.uses === 0) token.revoked = true
            }
          } else if (one.do === 'renew') {
            const renewed = core.tokens.renew(token.issued.row, one.by)
            if (token.batch || token.revoked || token.expiresAt <= time) await expect(renewed).rejects.toThrow()
            else if (good) {
              await renewed
              const asked = token.period > 0 ? Math.min(token.period, 32 * day) : one.by || token.creationTtl
              token.expiresAt = Math.min(time + asked * 1000, token.bound)
              expect((await renewed).row.expiresAt).toBe(token.expiresAt)
            } else await renewed.catch(() => {})
          } else if (token.batch) {
            await expect(core.tokens.revoke(token.issued.row)).rejects.toMatchObject({ code: 'invalid' })
          } else if (good) {
            await core.tokens.revoke(token.issued.row, one.do === 'orphan' ? 'orphan' : 'revoke')
            token.revoked = true
            // A batch token names its parent for ever: it ends with it.
            if (one.do === 'orphan')
              for (const child of all) if (child.parent === token && !child.batch) child.parent = undefined
          }
        }
        // A token that is not there is not good, whether it was remembered or not; its accessor agrees.
        if (all.length > 0) {
          for (const token of all.slice(-12)) {
            const { row } = token.issued
            expect((await callerOf(token)) !== undefined).toBe(isGood(token))
            if (token.uses === 0 && !token.revoked) {
              const remembered = await core.authenticator.authenticate(token.issued.token).catch(() => undefined)
              expect(remembered !== undefined).toBe(isGood(token))
            }
            if (token.batch) continue
            const found = await core.tokens.lookup('root', { accessor: row.accessor }).catch(() => undefined)
            expect(found !== undefined).toBe(isGood(token))
          }
        }
      }
      // Swept away is all that is over, and nothing else; what is left under what is gone is not good either.
      await store.tokens.expire(time, 1000)
      for (const token of all) {
        if (isGood(token)) expect(await callerOf(token)).toBeDefined()
        else if (!token.batch && token.expiresAt <= time)
          expect(await store.tokens.byId(token.issued.row.id)).toBeUndefined()
      }
    }),
    { numRuns: 60 },
  )
})

it('a tree has a deepest level, and what is there works', async () => {
  const { core } = gateway
  let by = root
  const made: string[] = []
  const how = { sudo: true, path: 'x' }
  for (;;) {
    const next = await core.tokens
      .create(by, { id: 'root' }, { policies: ['root'], ttl: 3600 }, how)
      .catch((error: unknown) => error)
    if (next instanceof Error) {
      expect(next.message).toBe('a tree of tokens can be 64 deep: make an orphan instead')
      break
    }
    const { token } = next as Issued
    made.push(token)
    by = await core.authenticator.authenticate(token)
  }
  expect(made).toHaveLength(63)
  expect(
    (await core.tokens.create(by, { id: 'root' }, { policies: ['root'], ttl: 3600, noParent: true }, how)).row.parentId,
  ).toBeNull()
  const [first] = made
  const caller = first && (await core.authenticator.find(first))
  if (!caller) throw new Error('the first one is gone')
  await core.tokens.revoke(caller.token)
  for (const token of made) expect(await core.authenticator.find(token)).toBeUndefined()
})
