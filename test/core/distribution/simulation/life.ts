import type { Waiting } from '../../../../src/core/context.ts'
import { KeyferryError } from '../../../../src/core/errors.ts'
import type { Process, World } from './world.ts'

/** What must be so at the end, as far as the answers told: `unknown` where a process died before it answered. */
export interface Expected {
  name: string
  key: 'there' | 'deleted' | 'unknown'
  /** Versions that were answered for, and those that may have been made besides. */
  versions: Set<number>
  mayBe: number
  minEnabled: Set<number>
  /** KMS name -> the key in it. */
  kms: Map<string, 'absent' | 'present' | 'unknown'>
  /** What is done about what others change there: they change only what is to be restored. */
  repair: 'report' | 'restore'
}

type Answer<T> = { value: T } | { code: string } | 'died'

/** One key and its KMSs, from creation to perhaps deletion: random things are asked, and the answers are remembered. */
export class Life {
  readonly expected: Expected
  readonly #world: World

  constructor(world: World, name: string) {
    this.#world = world
    const kms = new Map([...world.clouds.keys()].map((cloud) => [`${name}-${cloud}`, 'absent' as const]))
    this.expected = {
      name,
      key: 'unknown',
      versions: new Set(),
      mayBe: 0,
      minEnabled: new Set([1]),
      kms: new Map(kms),
      repair: world.chance.of(0.5) ? 'restore' : 'report',
    }
  }

  async live(): Promise<void> {
    const { chance, time } = this.#world
    await time.sleep(chance.between(0, 60_000))
    await this.#begin()
    for (let steps = chance.between(3, 12); steps > 0; steps--) {
      const first = this.#step()
      if (chance.of(0.25)) await Promise.all([first, this.#rotate()])
      else await first
      await time.sleep(chance.of(0.5) ? chance.between(0, 2_000) : chance.between(0, 120_000))
    }
    if (chance.of(0.3)) await this.#end()
  }

  /** Credentials that work, for what stopped because of some that did not. */
  async heal(): Promise<void> {
    for (const kms of this.expected.kms.keys()) {
      this.#secret(kms).revoke(false)
      await this.#untilDone(({ core }) => core.kms.write(this.#world.scope, kms, { credentials: { secret: kms } }))
    }
  }

  async #begin(): Promise<void> {
    const { scope } = this.#world
    const { name, kms } = this.expected
    await this.#untilDone(({ core }) => core.keys.write(scope, name, { type: 'ecdsa-p256' }, this.#waiting()))
    this.expected.key = 'there'
    this.expected.versions.add(1)
    for (const [one] of kms) {
      const keyCollection = one.slice(name.length + 1)
      const settings = { provider: 'memory', keyCollection, credentials: { secret: one } }
      await this.#untilDone(({ core }) => core.kms.write(scope, one, settings))
    }
  }

  async #step(): Promise<void> {
    const { chance } = this.#world
    const kms = chance.pick([...this.expected.kms.keys()])
    const what = chance.pick([
      ...often('distribute', 5),
      ...often('remove', 2),
      ...often('rotate', 3),
      ...often('disable', 3),
      ...often('by hand', 4),
      ...often('look', 4),
      'revoke',
    ])
    if (what === 'distribute') return await this.#distribute(kms)
    if (what === 'remove') return await this.#remove(kms)
    if (what === 'rotate') return await this.#rotate()
    if (what === 'disable') return await this.#disable()
    if (what === 'by hand') {
      for (const one of this.expected.kms.keys()) this.#byHand(one)
      return
    }
    if (what === 'look') return await this.#look(kms)
    this.#secret(kms).revoke(chance.of(0.5))
  }

  async #rotate(): Promise<void> {
    const { scope } = this.#world
    const { name, versions } = this.expected
    const answer = await this.#ask(({ core }) => core.keys.rotate(scope, name, this.#waiting()))
    if (answer === 'died') this.expected.mayBe += 1
    else if ('code' in answer) throw new Error(`a rotation was answered ${answer.code}`)
    else if (versions.has(answer.value.version)) throw new Error(`version ${answer.value.version} was made twice`)
    else versions.add(answer.value.version)
  }

  async #disable(): Promise<void> {
    const { scope, chance } = this.#world
    const { name, versions, minEnabled } = this.expected
    const minEnabledVersion = chance.between(0, Math.max(...versions))
    const answer = await this.#ask(({ core }) => core.keys.write(scope, name, { minEnabledVersion }, this.#waiting()))
    if (answer !== 'died' && 'value' in answer) minEnabled.clear()
    minEnabled.add(minEnabledVersion)
  }

  async #distribute(kms: string): Promise<void> {
    const { scope } = this.#world
    const { name, repair } = this.expected
    this.#perhapsTaken(kms)
    const answer = await this.#ask(({ core }) =>
      core.distribution.distribute(
        scope,
        kms,
        name,
        { purpose: ['sign'], tags: { team: name }, repair },
        this.#waiting(),
      ),
    )
    if (answer === 'died') this.expected.kms.set(kms, 'unknown')
    else if ('value' in answer) this.expected.kms.set(kms, 'present')
    else if (answer.code === 'refused') {
      // Only what was never delivered is taken back.
      if (this.expected.kms.get(kms) === 'absent') return
      this.expected.kms.set(kms, 'unknown')
    } else if (answer.code !== 'invalid') throw new Error(`a distribution was answered ${answer.code}`)
  }

  /**
   * Now and then the name is somebody else's already. Not one that is on its way there: whoever takes a name between a look and an import
   * is seen only where listing is permitted, since no cloud makes a key only where there is none.
   */
  #perhapsTaken(kms: string): void {
    const { chance, clouds, time } = this.#world
    const second = Math.floor(time.now() / 1000)
    const cloud = clouds.get(kms.slice(this.expected.name.length + 1))
    const taken = `${this.expected.name}-${second}`
    if (!cloud || !chance.of(0.1) || cloud.keys.has(taken)) return
    if (this.#world.rows(`SELECT name FROM remote_names WHERE name = '${taken}'`).length > 0) return
    cloud.keys.set(taken, [{ remoteVersion: `stranger-${taken}`, importId: null, enabled: true, created: second }])
  }

  /** Somebody changes what was delivered, in the cloud itself: all that can be put right. */
  #byHand(kms: string): void {
    const { chance, clouds } = this.#world
    const cloud = clouds.get(kms.slice(this.expected.name.length + 1))
    const [copy] = this.#world.rows(
      `SELECT remote_name, state FROM copies JOIN kms ON kms.id = kms_id WHERE kms.name = '${kms}' AND seen_generation > 0`,
    )
    const name = String(copy?.remote_name)
    const versions = cloud?.keys.get(name)
    if (this.expected.repair === 'report' || !cloud || !copy) return
    const hidden = cloud.deleted.get(name)
    if (hidden) {
      cloud.deleted.delete(name)
      if (chance.of(0.5)) cloud.keys.set(name, hidden)
      return
    }
    if (!versions) return
    const index = chance.between(0, versions.length - 1)
    // What goes while a version is on its way is one before it, which cannot come again.
    const gone = copy.state === 'settled' ? (['purge', 'old backup'] as const) : []
    const what = chance.pick(['state', 'purposes', 'tags', 'delete', ...gone] as const)
    this.#world.note(`by hand: ${what}`)
    if (what === 'state') cloud.change(name, index, { enabled: chance.of(0.5) })
    else if (what === 'purposes') cloud.change(name, index, { purposes: chance.of(0.5) ? [] : ['encrypt', 'sign'] })
    else if (what === 'tags') cloud.change(name, index, { tags: { other: 'x' }, labelled: chance.of(0.5) })
    else if (what === 'delete') cloud.softDelete(name)
    else if (what === 'purge') cloud.keys.delete(name)
    else versions.splice(index + 1)
  }

  async #look(kms: string): Promise<void> {
    const { scope } = this.#world
    await this.#ask(({ core }) => core.looks.reconcile(scope, kms, this.#waiting()))
  }

  /** Asks for looks at all that is delivered, until nothing is otherwise than it should be; gives what still is. */
  async mend(untilQuiet: () => Promise<void>): Promise<string[]> {
    const { scope, time } = this.#world
    for (let times = 1; ; times++) {
      const faults: string[] = []
      for (const kms of this.expected.kms.keys()) {
        const { core } = await this.#world.process()
        const { drift, failed } = await core.looks.reconcile(scope, kms, { deadline: time.now() + 600_000 })
        for (const found of Object.values(drift).flat()) faults.push(`${kms}: ${found.kind}, ${found.detail}`)
        for (const why of Object.values(failed)) faults.push(`${kms} could not be looked at: ${why}`)
      }
      if (faults.length === 0 || times === 4) return faults
      await untilQuiet()
    }
  }

  async #remove(kms: string): Promise<void> {
    const { scope } = this.#world
    const answer = await this.#ask(({ core }) =>
      core.distribution.remove(scope, kms, this.expected.name, this.#waiting()),
    )
    if (answer === 'died') this.expected.kms.set(kms, 'unknown')
    else if ('value' in answer) this.expected.kms.set(kms, 'absent')
    else if (answer.code !== 'refused') throw new Error(`a removal was answered ${answer.code}`)
  }

  async #end(): Promise<void> {
    const { scope } = this.#world
    const { name, kms } = this.expected
    for (const one of kms.keys()) {
      await this.#remove(one)
      if (this.expected.kms.get(one) !== 'absent') return
    }
    await this.#untilDone(({ core }) => core.keys.write(scope, name, { deletionAllowed: true }, this.#waiting()))
    await this.#untilDone(({ core }) => core.keys.delete(scope, name))
    this.expected.key = 'deleted'
  }

  #secret(kms: string): { revoke(revoked: boolean): void } {
    const cloud = this.#world.clouds.get(kms.slice(this.expected.name.length + 1))
    return {
      revoke: (revoked) => {
        if (revoked) cloud?.revoked.add(kms)
        else cloud?.revoked.delete(kms)
      },
    }
  }

  #waiting(): Waiting {
    const { chance, time } = this.#world
    return { deadline: time.now() + chance.pick([0, 5_000, 60_000]) }
  }

  /** Asks a process that is up, until one lives long enough to answer. */
  async #untilDone(work: (process: Process) => Promise<unknown>): Promise<void> {
    for (;;) {
      const answer = await this.#ask(work)
      if (answer === 'died') continue
      if ('code' in answer) throw new Error(`answered ${answer.code}`)
      return
    }
  }

  async #ask<T>(work: (process: Process) => Promise<T>): Promise<Answer<T>> {
    const process = await this.#world.process()
    const answer = work(process).then(
      (value) => ({ value }),
      (error: unknown) => {
        if (!(error instanceof KeyferryError)) throw error
        // A write that the database refused may be the last of several: what came of it is as unknown as after a death.
        return error.code === 'unavailable' ? ('died' as const) : { code: error.code }
      },
    )
    return await Promise.race([process.death, answer])
  }
}

function often<T>(what: T, times: number): T[] {
  return Array.from({ length: times }, () => what)
}
