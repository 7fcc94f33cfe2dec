import { appendFileSync, existsSync } from 'node:fs'
import { CommandError, exitCodes } from '../config/exit-codes.ts'
import type { Connection, Provider } from '../core/kms/provider.ts'
import type { Store } from '../core/store.ts'

/** The calls of a connection that change something in a cloud. */
const effects = [
  'importVersion',
  'setVersionEnabled',
  'changeVersion',
  'recover',
  'remove',
  'rotateWrappingKey',
] as const satisfies (keyof Connection)[]

/** Wraps the two places where this program has effects: its store, and the clouds. */
export interface Failpoints {
  store(store: Store): Store
  provider(provider: Provider): Provider
}

type Phase = 'before' | 'after'
type Pass = (point: string, phase: Phase) => void

/**
 * Failpoints, for tests of crashes: `KEYFERRY_FAILPOINT=POINT:before[:COUNT][@FILE]` kills this process, as `kill -9` does, when it is the
 * COUNT-th time (the first, unless told) about to do POINT; with `after`, when that was done and nobody knows it yet. With `@FILE` nothing counts before
 * that file is there. `trace:FILE[@FILE]` writes a line for each point that is passed.
 *
 * A POINT is a write of the store (`copies.sent`: before and after its commit) or a call that changes something in a cloud
 * (`cloud.importVersion`: before it is sent, and after it took effect). Undefined without a setting: then nothing is wrapped. Throws a
 * `CommandError` (78) for one that cannot be read.
 */
export function failpoints(setting: string | undefined): Failpoints | undefined {
  if (setting === undefined || setting === '') return undefined
  const pass = armed(setting)
  return {
    store: (store) => wrapped(store, pass),
    provider: (provider) => ({
      ...provider,
      open: async (...parts) => connection(await provider.open(...parts), pass),
    }),
  }
}

function armed(setting: string): Pass {
  const [, what = '', armFile] = /^([^@]+)(?:@(.+))?$/.exec(setting) ?? []
  let isArmed = armFile === undefined
  const counts = () => {
    isArmed ||= armFile !== undefined && existsSync(armFile)
    return isArmed
  }
  const trace = /^trace:(.+)$/.exec(what)?.[1]
  if (trace !== undefined) return (point, phase) => counts() && appendFileSync(trace, `${point}:${phase}\n`)
  const [, fatal, text = '1'] = /^([a-z]+\.[a-z]+:(?:before|after))(?::(\d+))?$/i.exec(what) ?? []
  if (fatal === undefined)
    throw new CommandError(
      exitCodes.config,
      `KEYFERRY_FAILPOINT "${setting}" is not allowed: it must be POINT:before or POINT:after, with :COUNT or not, or trace:FILE`,
    )
  let left = Number(text)
  return (point, phase) => {
    if (`${point}:${phase}` !== fatal || !counts()) return
    left -= 1
    if (left === 0) process.kill(process.pid, 'SIGKILL')
  }
}

/** Every part of the store with its writes wrapped: what gives a promise is a write, of which nothing is done yet at that moment. */
function wrapped(store: Store, pass: Pass): Store {
  const parts = Object.entries(store).map(([name, part]: [string, unknown]) => {
    if (typeof part !== 'object' || part === null || Object.getPrototypeOf(part) !== Object.prototype)
      return [name, part]
    const methods = Object.entries(part).map(([method, member]: [string, unknown]) => [
      method,
      typeof member === 'function' ? passing(`${name}.${method}`, member.bind(part), pass) : member,
    ])
    return [name, Object.fromEntries(methods)]
  })
  return Object.fromEntries(parts) as Store
}

function passing(point: string, method: (...parts: unknown[]) => unknown, pass: Pass): typeof method {
  return (...parts) => {
    const answer = method(...parts)
    if (!(answer instanceof Promise)) return answer
    pass(point, 'before')
    return answer.then((value: unknown) => {
      pass(point, 'after')
      return value
    })
  }
}

function connection(real: Connection, pass: Pass): Connection {
  return new Proxy(real, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      const method = member.bind(target)
      if (!effects.some((one) => one === name)) return method
      const point = `cloud.${String(name)}`
      return async (...parts: unknown[]) => {
        pass(point, 'before')
        const answer: unknown = await method(...parts)
        pass(point, 'after')
        return answer
      }
    },
  })
}
