import { randomUUID } from 'node:crypto'
import type { Chance } from '../../support/virtual-time.ts'
import type { Answer } from '../keyferry.ts'
import type { CrashWorld } from './world.ts'

/**
 * Somebody who changes one key all the time and asks again, with the same `Idempotency-Key`, whenever the gateway dies before it answers: so
 * it is known exactly what has to be there.
 */
export class Client {
  readonly name: string
  readonly #world: CrashWorld
  readonly #chance: Chance
  #versions = 1
  #minEnabled = 1
  readonly #in = new Set<string>()
  asked = 0
  /** How often the connection broke before there was an answer. */
  unanswered = 0

  constructor(world: CrashWorld, chance: Chance, name: string) {
    this.#world = world
    this.#chance = chance
    this.name = name
  }

  async begin(): Promise<void> {
    await this.#done('POST', '', { type: 'ecdsa-p256', deletion_allowed: true })
  }

  /** One change. */
  async step(): Promise<void> {
    const chance = this.#chance
    const kms = chance.pick(['one', 'two'])
    const what = chance.pick(['rotate', 'rotate', 'state', 'state', 'there', 'there', 'there', 'gone'])
    if (what === 'rotate') {
      await this.#done('POST', '/rotate')
      this.#versions += 1
    } else if (what === 'state') {
      const least = chance.between(1, this.#versions)
      await this.#done('POST', '', { min_enabled_version: least })
      this.#minEnabled = least
    } else if (what === 'there') {
      await this.#done('POST', kms, { purpose: 'sign', protection: 'hsm' })
      this.#in.add(kms)
    } else {
      await this.#done('DELETE', kms)
      this.#in.delete(kms)
    }
  }

  /** What is otherwise than it was answered. */
  async faults(): Promise<string[]> {
    const { body } = await this.#world.call('GET', `keymgmt/key/${this.name}`)
    const list = await this.#world.call('GET', `keymgmt/key/${this.name}/kms?list=true`)
    const found = {
      versions: body?.data?.latest_version,
      minEnabled: body?.data?.min_enabled_version,
      in: (list.body?.data?.keys ?? []) as string[],
    }
    const should = { versions: this.#versions, minEnabled: this.#minEnabled, in: [...this.#in].sort() }
    const [is, as] = [JSON.stringify(found), JSON.stringify(should)]
    return is === as ? [] : [`${this.name} is ${is}, and was answered to be ${as}`]
  }

  /** Asks until there is an answer. `of`: what is behind the key's path, or a KMS. */
  async #done(method: string, of: string, body?: unknown): Promise<Answer> {
    const path = of === '' || of.startsWith('/') ? `key/${this.name}${of}` : `kms/${of}/key/${this.name}`
    const key = randomUUID()
    this.asked += 1
    for (;;) {
      try {
        const answer = await this.#world.call(method, `keymgmt/${path}`, body, { key })
        if (answer.status < 300) return answer
        // The removal before it goes on by itself.
        if (answer.status === 400 && answer.body?.errors?.[0]?.startsWith('the key is being removed')) {
          await new Promise((go) => setTimeout(go, 50))
          continue
        }
        throw new Refused(`${method} ${path} was answered ${answer.status} ${JSON.stringify(answer.body)}`)
      } catch (error) {
        if (error instanceof Refused) throw error
        if (!isRefusedConnection(error)) this.unanswered += 1
        await new Promise((go) => setTimeout(go, 50))
      }
    }
  }
}

class Refused extends Error {}

/** Nobody is there: the gateway is on its way up. */
function isRefusedConnection(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined
  return cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED'
}
