import { TooManyRequests } from './quotas.ts'

/** What is counted for each namespace. `tokens` are service tokens and wrapped answers; `operations` those that are not done yet. */
export const countedKinds = ['namespaces', 'keys', 'versions', 'kms', 'tokens', 'operations'] as const

export type CountedKind = (typeof countedKinds)[number]

/**
 * How much of each a namespace may have: set by the operator, the same for all, any number where nothing is said. `namespaces` counts
 * all that are below one of the first level, however deep, so that a tenant does not get more of the rest by dividing itself.
 */
export type NamespaceLimits = Readonly<Partial<Record<CountedKind, number>>>

const words: Readonly<Record<CountedKind, string>> = {
  namespaces: 'namespaces below it',
  keys: 'keys',
  versions: 'versions of keys',
  kms: 'KMSs',
  tokens: 'tokens',
  operations: 'operations under way',
}

/** After so many seconds there may be room again: operations end and expired tokens are swept away by themselves. */
const retryAfterSeconds = 5

/** Thrown inside the change that goes beyond a limit, which is undone by it. */
export function limitReached(kind: CountedKind, limit: number): TooManyRequests {
  return new TooManyRequests(
    retryAfterSeconds,
    `the namespace has reached its limit of ${limit} ${words[kind]}: remove some, or ask the operator for more`,
  )
}
