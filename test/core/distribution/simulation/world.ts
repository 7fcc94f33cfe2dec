import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type BetterSqlite3 from 'better-sqlite3'
import type { Context, Scope } from '../../../../src/core/context.ts'
import { type Core, createCore, initialise } from '../../../../src/core/core.ts'
import { KeyferryError } from '../../../../src/core/errors.ts'
import { createKeyGenerator, type KeyGenerator } from '../../../../src/core/keys/pool.ts'
import { CloudError } from '../../../../src/core/kms/provider.ts'
import { ProviderRegistry } from '../../../../src/core/kms/registry.ts'
import { newRootKey, type RootKey } from '../../../../src/core/seal/root-key.ts'
import type { Store } from '../../../../src/core/store.ts'
import { openStore } from '../../../../src/store/sqlite/index.ts'
import { type Call, type Disturbance, MemoryCloud, memoryProvider } from '../../../support/memory-provider.ts'
import { Chance, VirtualTime } from '../../../support/virtual-time.ts'

const Sqlite = createRequire(import.meta.url)('better-sqlite3') as typeof BetterSqlite3

/** In memory, where there is such a folder: a disk would be waited for at every commit. */
const shelf = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
const callTimeoutMs = 30_000
const settleMs = 10_000
const timing = { scanMs: 5_000, firstBackOffMs: 1_000, lastBackOffMs: 60_000 }

/** One run of the gateway: it can die at any write or call, and then nothing of it ever goes on. */
export interface Process {
  core: Core
  alive: boolean
  link: { up: boolean }
  /** Resolves when it dies. */
  death: Promise<'died'>
  die(): void
}

/** Two processes on one file and three clouds, in virtual time, with trouble of every sort for as long as `storm` is true. */
export class World {
  readonly chance: Chance
  readonly time = new VirtualTime(1_800_000_000_000)
  readonly clouds = new Map(['one', 'two', 'three'].map((name) => [name, new MemoryCloud()]))
  readonly processes: (Process | undefined)[] = [undefined, undefined]
  readonly faults: Record<string, number> = {}
  /** What must never happen, seen in a cloud at the moment when it did. */
  readonly violations: string[] = []
  scope: Scope = { namespaceId: 'root', namespacePath: '', mountId: '', mountPath: 'keymgmt/' }
  storm = false
  readonly #folder = mkdtempSync(join(shelf, 'keyferry-simulation-'))
  readonly #file = join(this.#folder, 'keyferry.db')
  readonly #rootKey: RootKey = newRootKey()
  readonly #stores: Store[] = []
  /** The names that processes had which are dead. */
  readonly #dead = new Set<string>()
  readonly #writes = new Set([
    ...['create', 'addVersion', 'update', 'replaceSettings', 'lease', 'extend', 'release', 'rename', 'sent'],
    ...[
      'seen',
      'settle',
      'postpone',
      'stop',
      'notRestored',
      'requestRemoval',
      'refuseRemoval',
      'detach',
      'deleteSent',
      'recoverySent',
      'settingState',
      'giveUp',
      'drop',
    ],
  ])
  readonly #generator: KeyGenerator = createKeyGenerator({ pool: { 'rsa-2048': 0, 'rsa-3072': 0, 'rsa-4096': 0 } })

  constructor(seed: number) {
    this.chance = new Chance(seed)
    for (const [name, cloud] of this.clouds) {
      cloud.listPermitted = name !== 'two'
      cloud.disturb = (call) => this.#disturbance(call)
      const act = cloud.act.bind(cloud)
      cloud.act = (call, effect, time) => act(call, () => this.#watched(cloud, call, effect), time)
    }
  }

  async open(): Promise<void> {
    for (let slot = 0; slot < this.processes.length; slot++) {
      const processes = { self: 'nobody', isDead: (owner: string) => this.#dead.has(owner.split('/')[0] ?? '') }
      this.#stores.push(openStore({ file: this.#file, uuid: () => this.chance.uuid(), processes }))
    }
    const [store] = this.#stores
    if (!store) throw new Error('there is no store')
    await initialise(
      store,
      this.#copyOfRoot(),
      this.#context(() => true),
    )
    this.scope = { ...this.scope, mountId: (await store.mounts.list('root'))[0]?.id ?? '' }
    for (let slot = 0; slot < this.processes.length; slot++) await this.start(slot)
    this.storm = true
  }

  /** Starts a process in a slot: on the connection of the one before, whose writes may still have come through. */
  async start(slot: number): Promise<void> {
    const store = this.#stores[slot]
    if (!store) throw new Error('there is no store')
    const link = { up: true }
    const { promise, resolve } = Promise.withResolvers<'died'>()
    const name = this.chance.uuid()
    const process: Omit<Process, 'core'> = {
      alive: true,
      link,
      death: promise,
      die: () => {
        if (!process.alive) return
        process.alive = false
        link.up = false
        this.#dead.add(name)
        this.processes[slot] = undefined
        this.#count('crash')
        resolve('died')
        this.#restart(slot)
      },
    }
    const registry = new ProviderRegistry().register(
      memoryProvider(this.clouds, { time: this.time, link, times: { callTimeoutMs, settleMs, newestAfterMs: 1_000 } }),
    )
    const core = await createCore({
      store: this.#mortal({ ...store, processes: { ...store.processes, self: name } }, process),
      rootKey: this.#copyOfRoot(),
      registry,
      generator: this.#generator,
      context: this.#context(() => process.alive),
      timing,
      sealTiming: { lookMs: 300_000, beatMs: 1_800_000 },
    })
    // It may have died on the way up.
    const up = Object.assign(process, { core })
    if (process.alive) this.processes[slot] = up
  }

  /** Somebody looks after the processes: one that died, or could not start, is started again some time later. */
  #restart(slot: number): void {
    this.time.after(this.chance.between(0, 200_000), () => void this.start(slot).catch(() => this.#restart(slot)))
  }

  /** A process that is up, once there is one. */
  async process(): Promise<Process> {
    for (;;) {
      const up = this.processes.filter((one) => one !== undefined)
      if (up.length > 0) return this.chance.pick(up)
      await this.time.sleep(1_000)
    }
  }

  /** Rows as they are on the disk. */
  rows(sql: string): Record<string, unknown>[] {
    const sqlite = new Sqlite(this.#file, { readonly: true })
    try {
      return sqlite.prepare<[], Record<string, unknown>>(sql).all()
    } finally {
      sqlite.close()
    }
  }

  async close(): Promise<void> {
    // No graceful stop: that would wait for calls, and time no longer passes.
    for (const one of this.processes) if (one) Object.assign(one, { alive: false }).link.up = false
    await this.#generator.close()
    for (const store of this.#stores) store.close()
    rmSync(this.#folder, { recursive: true })
  }

  #context(alive: () => boolean): Context {
    return {
      now: this.time.now,
      uuid: () => this.chance.uuid(),
      randomHex: (bytes) => this.chance.hex(bytes),
      after: (ms, work) => this.time.after(ms, () => alive() && work()),
      log: (level, message, details) => {
        if (level === 'error' && !String(details?.error).includes('locked by another'))
          this.violations.push(`${message}: ${JSON.stringify(details)}`)
      },
    }
  }

  #copyOfRoot(): RootKey {
    return { id: this.#rootKey.id, key: Buffer.from(this.#rootKey.key) }
  }

  /** A store whose process may die before or after any write; a dead one never hears of anything again. */
  #mortal(store: Store, process: Omit<Process, 'core'>): Store {
    const never = () => new Promise<never>(() => {})
    const guard = (part: object): object =>
      new Proxy(part, {
        get: (target, name) => {
          const member: unknown = Reflect.get(target, name)
          if (typeof member === 'object' && member !== null) return guard(member)
          if (typeof member !== 'function') return member
          return (...args: unknown[]) => {
            if (process.alive && this.storm && this.chance.of(0.002)) process.die()
            if (!process.alive) return never()
            const answer: unknown = this.#unwritable(name) ?? member.apply(target, args)
            if (!(answer instanceof Promise)) return answer
            return this.time.hold<unknown>(answer).finally(() => {
              if (process.alive && this.storm && this.chance.of(0.003)) process.die()
              return process.alive ? undefined : never()
            })
          }
        },
      })
    return guard(store) as Store
  }

  /** Now and then the database refuses a write. */
  #unwritable(method: string | symbol): Promise<never> | undefined {
    if (!this.storm || !this.#writes.has(String(method)) || !this.chance.of(0.005)) return undefined
    this.#count('database')
    return Promise.reject(
      new KeyferryError('unavailable', 'the database is locked by another process: nothing was changed'),
    )
  }

  #disturbance({ call }: Call): Disturbance {
    const { chance } = this
    if (this.storm && chance.of(0.004)) this.processes.find((one) => one !== undefined)?.die()
    const takesMs = chance.of(0.8) ? chance.between(0, 300) : chance.between(300, 5_000)
    if (!this.storm || chance.of(0.86)) return { takesMs }
    const lost = () => new CloudError('unavailable', 'the answer was lost', { effect: 'unknown' })
    const kind = chance.pick(['refused', 'down', 'throttled', 'lost', 'lost before', 'lost and late'] as const)
    this.#count(`${kind} ${call}`)
    switch (kind) {
      case 'refused':
        return { takesMs, error: new CloudError('refused', 'the cloud said no') }
      case 'down':
        return { takesMs, error: new CloudError('unavailable', 'the cloud is down') }
      case 'throttled':
        return { error: new CloudError('throttled', 'too many', { retryAfterMs: chance.between(1_000, 20_000) }) }
      case 'lost':
        return { takesMs: chance.between(0, callTimeoutMs), error: lost(), after: true }
      case 'lost before':
        return { takesMs: chance.between(0, callTimeoutMs), error: lost() }
      case 'lost and late':
        // A change of state that comes after a later one is drift, for the comparison with the cloud to find.
        if (call === 'set-enabled') return { takesMs: callTimeoutMs, error: lost(), after: true }
        return { takesMs: callTimeoutMs, error: lost(), effectAfterMs: chance.between(0, settleMs - 100) }
    }
  }

  /** Looks at each effect as it takes place. */
  #watched<T>(cloud: MemoryCloud, call: Call, effect: () => T): T {
    const before = cloud.keys.get(call.name) ?? []
    if (call.call === 'remove' && before.some((one) => one.importId === null))
      this.violations.push(`"${call.name}" of somebody else was deleted`)
    const result = effect()
    if (call.call !== 'import') return result
    if (before.some((one) => one.importId === null))
      this.violations.push(`an import onto "${call.name}" of somebody else`)
    const ids = (cloud.keys.get(call.name) ?? []).map((one) => one.importId)
    if (new Set(ids).size !== ids.length) this.violations.push(`a version of "${call.name}" was imported twice`)
    return result
  }

  /** Counts something that befell a key without the gateway's doing. */
  note(fault: string): void {
    this.#count(fault)
  }

  #count(fault: string): void {
    this.faults[fault] = (this.faults[fault] ?? 0) + 1
  }
}
