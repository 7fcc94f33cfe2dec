import { createPublicKey } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { KeyferryError } from '../../../src/core/errors.ts'
import type { FaultSpec } from '../../../src/emulator/azurekeyvault/index.ts'
import { type AzureGateway, azureGateway, namesThere, versionsThere } from './gateway.ts'
import { type Bench, clientId, fivePermissions, startBench } from './harness.ts'
import { RawClient } from './raw-client.ts'

/** How many lives, how many at a time, and which ones: `SDK_LIVES=3000 SEED=7 npm run soak` for a long walk. */
const lives = Number(process.env.SDK_LIVES ?? 70)
const side = 80
const seed = Number(process.env.SEED ?? 1)

const callTimeoutMs = 700
/** A request that arrives this late still takes effect, when its caller has long given it up. */
const lateMs = 900
/** More than that, with room for a slow machine: what the provider promises the core of late effects must hold. */
const settleMs = 1_500

const vault = 'prod-keys'

/** What befalls requests of the gateway, of every kind: together about one in four. */
const faults: [number, FaultSpec['action']][] = [
  [0.04, { drop: 'before' }],
  [0.05, { drop: 'after' }],
  [0.03, { status: 500 }],
  [0.04, { status: 500, effect: true }],
  [0.02, { status: 503, headers: { 'retry-after': '0' } }],
  [0.03, { status: 429 }],
  [0.01, { status: 429, headers: { 'retry-after': '1' } }],
  [0.02, { delayMs: lateMs }],
  [0.02, { answerDelayMs: lateMs }],
  [0.01, { status: 200, effect: true, body: {} }],
  [0.01, { status: 200, effect: true, body: '' }],
  [0.01, { status: 307, headers: { location: 'https://evil.example/' } }],
]

let bench: Bench
let gateway: AzureGateway
let raw: RawClient
beforeAll(async () => {
  bench = await startBench({
    emulator: {
      vaults: [{ name: vault, kind: 'premium', deletionSeconds: 0.05 }],
      principals: [
        { tenantId: '5f0e5a9e-3a0c-4d3e-8a51-6e2f6b1f0c11', clientId, clientSecret: 'canary~Secret/4f9Zq+value=' },
        { tenantId: '5f0e5a9e-3a0c-4d3e-8a51-6e2f6b1f0c11', clientId: 'lister', clientSecret: 'lister-secret' },
      ],
    },
  })
  raw = lookIn()
  gateway = await azureGateway(bench, { callTimeoutMs, settleMs, newestAfterMs: 0 })
  bench.emulator.restrict(clientId, [...fivePermissions])
  await gateway.makeKms('five')
  await gateway.core.kms.write(gateway.scope, 'listing', {
    provider: 'azurekeyvault',
    keyCollection: vault,
    credentials: { ...bench.settings.credentials, client_id: 'lister', client_secret: 'lister-secret' },
  })
})
afterAll(async () => {
  await gateway.close()
  await bench.emulator.close()
})

/** A client with a token of its own, which has not run out. */
function lookIn(): RawClient {
  return new RawClient(bench.emulator, 'vault.azure.net', { clientId: 'lister', clientSecret: 'lister-secret' })
}

/** Mulberry32, so that a life can be lived again. */
function generator(start: number): (below: number) => number {
  let state = start >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

interface Life {
  key: string
  kms: string
  /** Whether it should be in the vault in the end. */
  present: boolean
  minEnabled: number
}

/** Lives one life: what is asked for must succeed, with warnings perhaps, whatever befalls its requests. */
async function live(number: number): Promise<Life> {
  const { core, scope, soon } = gateway
  const random = generator(seed * 1_000_003 + number)
  const life: Life = { key: `life-${number}`, kms: number % 2 ? 'five' : 'listing', present: true, minEnabled: 1 }
  await gateway.makeKey(life.key)
  for (let more = random(3); more > 0; more--) await gateway.rotate(life.key)
  await distribute(life)
  for (let steps = 1 + random(3); steps > 0; steps--) {
    const step = random(5)
    if (step <= 1) await core.keys.rotate(scope, life.key, soon(random(2)))
    else if (step === 2) {
      const { latestVersion } = await core.keys.read(scope, life.key)
      life.minEnabled = 1 + random(latestVersion)
      await core.keys.write(scope, life.key, { minEnabledVersion: life.minEnabled }, soon(random(2)))
    } else if (step === 3) await remove(life)
    else await distribute(life)
  }
  if (random(2)) await remove(life)
  else await distribute(life)
  return life
}

/** What is being removed cannot be brought back until it is gone. */
async function distribute(life: Life): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await gateway.distribute(life.key, life.kms)
      life.present = true
      return
    } catch (error) {
      const removing = error instanceof KeyferryError && /is being removed/.test(error.message)
      if (!removing || tries > 600) throw error
      await sleep(50)
    }
  }
}

async function remove(life: Life): Promise<void> {
  await gateway.remove(life.key, life.kms)
  life.present = false
}

const evenSeconds = (from: number, count: number) => Array.from({ length: count }, (_, n) => from - (from % 2) + 2 * n)

describe('under random faults on every request', () => {
  it('there is never a second version, a lost one, or one of somebody else’s key', {
    timeout: 60_000 + lives * 1_500,
  }, async () => {
    const { core, scope } = gateway
    // Keys of others, under names that the gateway comes upon when it makes up its own: every other second of some lives.
    const contested = [3, 4]
    const foreign = contested.flatMap((number) =>
      evenSeconds(Math.floor(Date.now() / 1000), 20).map((second) => `life-${number}-${second}`),
    )
    for (const name of foreign) {
      const made = await raw.call('POST', `https://${vault}.vault.azure.net/keys/${name}/create`, {
        kty: 'EC-HSM',
        crv: 'P-256',
      })
      expect(made.status).toBe(200)
    }
    for (const [index, [probability, action]] of faults.entries()) {
      const spec = { action, probability, seed: seed * 100 + index }
      bench.emulator.injectFault({ ...spec, match: { vault } })
      bench.emulator.injectFault({ ...spec, match: { operation: 'token' } })
      bench.emulator.injectFault({ ...spec, match: { operation: 'challenge' }, probability: probability / 4 })
    }
    const all: Life[] = []
    const queue = [...contested, ...Array.from({ length: lives }, (_, n) => n + 5)]
    const worker = async () => {
      for (let number = queue.shift(); number !== undefined; number = queue.shift()) all.push(await live(number))
    }
    // Every token ends in the middle of what it is used for, by the vault's clock, while its holder takes it for good.
    const expiry = setInterval(() => bench.emulator.advanceClock(7_200_000), 6_000)
    await Promise.all(Array.from({ length: side }, worker)).finally(() => clearInterval(expiry))
    const hits = bench.emulator.listFaults().reduce((sum, fault) => sum + fault.hits, 0)
    bench.emulator.clearFaults()
    raw = lookIn()
    console.log(`${lives} lives with the genuine SDK, ${hits} faults; seed ${seed}`)
    expect(hits).toBeGreaterThan(lives)

    const expected = new Set(foreign)
    for (const life of all) {
      const { copy, name } = await settled(life)
      if (!copy) continue
      expected.add(name)
      const key = await core.keys.read(scope, life.key)
      const there = (await versionsThere(raw, name, vault)) ?? []
      // Every version once, no other, each the very key that was made here, the newest current, the right ones enabled.
      expect(there.map(({ version }) => version).sort()).toEqual(Object.values(copy.versions).sort())
      expect(Object.keys(copy.versions)).toEqual(Array.from({ length: key.latestVersion }, (_, n) => `${n + 1}`))
      expect(new Set(there.map(({ importId }) => importId)).size).toBe(key.latestVersion)
      expect(there.filter(({ importId }) => importId === undefined)).toEqual([])
      for (const [number, id] of Object.entries(copy.versions)) {
        const seen = there.find(({ version }) => version === id)
        expect([number, seen?.enabled]).toEqual([number, Number(number) >= life.minEnabled])
        const made = key.versions.find(({ version }) => version === Number(number))
        if (made?.publicKey) expect(seen?.x).toBe(createPublicKey(made.publicKey).export({ format: 'jwk' }).x)
      }
      const current = await raw.call('GET', `https://${vault}.vault.azure.net/keys/${name}`)
      expect(current.body.key.kid.endsWith(copy.versions[key.latestVersion] ?? '-')).toBe(true)
    }
    for (const name of foreign) {
      const [only, ...more] = (await versionsThere(raw, name, vault)) ?? []
      expect([name, only?.importId, only?.enabled, more]).toEqual([name, undefined, true, []])
    }
    const others = (await namesThere(raw, vault)).filter((name) => !expected.has(name))
    expect(others.filter((name) => !/^keyferry-kek-[0-9a-f]{32}$/.test(name))).toEqual([])
    // One key encryption key is made, however often its making is disturbed; a name is given up only when something was found wrong.
    expect(others.length).toBeLessThanOrEqual(1)
  })

  /** Waits until the life has come to rest: seen in the vault, or gone from it. */
  async function settled(life: Life) {
    const { core, scope } = gateway
    for (let tries = 0; tries < 400; tries++) {
      const copy = await core.distribution.read(scope, life.kms, life.key).catch((error: unknown) => {
        if (error instanceof KeyferryError && error.code === 'not_found') return undefined
        throw error
      })
      if (copy && copy.state === 'stopped') throw new Error(`${life.key} was given up: ${copy.reason}`)
      if (!copy && !life.present && (await gone(life))) return { copy: undefined, name: '' }
      if (copy?.state === 'settled' && life.present) return { copy, name: copy.remoteName }
      await sleep(50)
    }
    throw new Error(`${life.key} came to no rest`)
  }

  async function gone(life: Life): Promise<boolean> {
    return !(await namesThere(raw, vault)).some(
      (name) => name.replace(/-\d+$/, '') === life.key && !/^life-[34]-/.test(name),
    )
  }
})
