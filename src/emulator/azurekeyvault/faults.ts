import { randomUUID } from 'node:crypto'
import type { ServiceResponse } from './errors.ts'
import { type FaultSpec, faultSpec, parseSpec } from './specs.ts'

/** What a fault is matched against. `operation` is `challenge` for a request to a vault without a token. */
export interface FaultTarget {
  readonly method: string
  readonly host: string
  readonly path: string
  readonly operation: string
  readonly vault: string | undefined
}

type Parsed = ReturnType<typeof faultSpec.parse>

interface Fault {
  readonly id: string
  readonly spec: Parsed
  readonly random: () => number
  hits: number
}

/** Mulberry32: small, seedable, and the same everywhere, so that a run with faults can be repeated. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

function matches({ match }: Parsed, target: FaultTarget): boolean {
  if (target.operation === 'challenge' && match.operation !== 'challenge') return false
  return (
    (match.method === undefined || match.method.toUpperCase() === target.method) &&
    (match.vault === undefined || match.vault.toLowerCase() === target.vault) &&
    (match.host === undefined || match.host.toLowerCase() === target.host) &&
    (match.operation === undefined || match.operation === target.operation) &&
    (match.pathPattern === undefined || new RegExp(match.pathPattern).test(target.path))
  )
}

const fallbackBodies: Readonly<Record<number, unknown>> = {
  429: {
    error: {
      code: 'Throttled',
      message:
        'Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached',
    },
  },
  503: { error: { code: 'ServiceUnavailable', message: 'The service is unavailable.' } },
}

/** The answer of a fault with a status. */
export function faultResponse(action: Parsed['action'] & { status: number }): ServiceResponse {
  const fallback = fallbackBodies[action.status] ?? {
    error: { code: 'InternalServerError', message: 'A fault injected into the emulator.' },
  }
  const withoutBody = action.status === 204 || action.status === 304
  return {
    status: action.status,
    ...(withoutBody ? {} : { body: action.body ?? fallback }),
    headers: action.headers ?? {},
  }
}

/** The injected faults. The first that matches and still has hits left is the one that strikes. */
export class Faults {
  #faults: Fault[] = []

  /** @throws {TypeError} for a wrong spec */
  inject(spec: FaultSpec): string {
    const parsed = parseSpec('fault', faultSpec, spec)
    const fault = { id: randomUUID(), spec: parsed, random: randomFrom(parsed.seed ?? 1), hits: 0 }
    this.#faults.push(fault)
    return fault.id
  }

  clear(): void {
    this.#faults = []
  }

  list(): { id: string; hits: number; spec: Parsed }[] {
    return this.#faults.map(({ id, hits, spec }) => ({ id, hits, spec }))
  }

  /** The action that strikes this request, if any; counts the hit. */
  strike(target: FaultTarget): Parsed['action'] | undefined {
    for (const fault of this.#faults) {
      const { times, probability = 1 } = fault.spec
      if (times !== undefined && fault.hits >= times) continue
      if (!matches(fault.spec, target)) continue
      if (probability < 1 && fault.random() >= probability) continue
      fault.hits++
      return fault.spec.action
    }
    return undefined
  }
}
