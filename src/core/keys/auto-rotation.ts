import type { Context } from '../context.ts'
import { invalid, KeyferryError } from '../errors.ts'
import type { KeyRow, KeyStore } from '../store.ts'

const leastPeriod = 3_600
const mostPeriod = 10 * 365 * 86_400
const mostEnabled = 1_000_000
/** A rotation that failed is tried again after this long, in ms. */
const againMs = 600_000
/** How many are made in one go: each needs a new key, which takes its time. */
const batch = 10

/** Throws `invalid` for a period (in seconds) or a number of versions that is not allowed. */
export function checkSchedule(input: { autoRotatePeriod?: number; maxEnabledVersions?: number }): void {
  const { autoRotatePeriod: period = 0, maxEnabledVersions: most = 0 } = input
  if (period !== 0 && (period < leastPeriod || period > mostPeriod))
    throw invalid(`auto_rotate_period must be 0 (never), or 1h to ${mostPeriod / 3_600}h, not ${period}s`)
  if (most < 0 || most > mostEnabled)
    throw invalid(`max_enabled_versions must be 0 (any number) to ${mostEnabled}, not ${most}`)
}

/**
 * When a key with this period (in seconds) is rotated next: up to a twentieth earlier than the period says, so that keys that were made
 * together are not rotated together. Null for a period of 0.
 */
export function nextRotation(context: Context, period: number): number | null {
  if (period === 0) return null
  const early = (Number.parseInt(context.randomHex(4), 16) / 0xffffffff) * 0.05
  return Math.round(context.now() + period * 1_000 * (1 - early))
}

export interface AutoRotationParts {
  context: Context
  store: { keys: KeyStore; restore: { hold(): unknown } }
  /** Makes the version, unless the key is not due at `due` any more: then throws `conflict`. */
  rotate(key: KeyRow, due: number): Promise<void>
}

/**
 * Rotates the keys whose time has come. Every process does; the store makes a version only for the one that comes first. To be called
 * every few seconds: gives how many were due. After a restore nothing is rotated until copies are released.
 */
export function autoRotation({ context, store, rotate }: AutoRotationParts) {
  return async (now: number, limit: number): Promise<number> => {
    if (await store.restore.hold()) return 0
    const due = await store.keys.dueForRotation(now, Math.min(batch, limit))
    for (const key of due) {
      const at = key.nextRotationAt
      if (at === null) continue
      try {
        await rotate(key, at)
      } catch (error) {
        if (error instanceof KeyferryError && ['conflict', 'not_found'].includes(error.code)) continue
        context.log('error', 'a scheduled rotation failed, and is tried again', {
          keyId: key.id,
          error: error instanceof KeyferryError ? error.message : String(error),
        })
        await store.keys.postponeRotation(key.id, at, now + againMs)
      }
    }
    // A full batch: there may be more.
    return due.length === batch ? limit : due.length
  }
}
