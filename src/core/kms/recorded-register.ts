import type { CalledPlace } from '../audit/cloud.ts'
import { currentCause } from './cause.ts'
import { type ObservedParts, recordBefore } from './observed.ts'
import type { WrappingKeyRegister } from './provider.ts'

/**
 * The register of key encryption keys with a trail: whoever holds such a key gets the keys, so that the audit log has each one that is
 * about to be made, what was pinned in its place, and when it was given up. One whose making cannot be recorded is not made.
 */
export function recordedRegister(
  inner: WrappingKeyRegister,
  place: CalledPlace,
  parts: ObservedParts,
): WrappingKeyRegister {
  const { audit, context } = parts
  if (!audit.on) return inner
  const about = (operation: string, data: Record<string, unknown>) => ({
    ...{ id: context.uuid(), operation, place, cause: currentCause(), data },
  })
  const told = async (operation: string, data: Record<string, unknown>) =>
    // It is so already; the broker has logged where it cannot be recorded.
    await audit.cloudResponse(about(operation, data), { outcome: 'ok' }).catch(() => {})
  return {
    ...inner,
    plan: async (collection, name) => {
      await recordBefore(about('create', { collection, wrapping_key: name }), parts)
      return await inner.plan(collection, name)
    },
    pin: async (id, keyId, fingerprint) => {
      const pinned = await inner.pin(id, keyId, fingerprint)
      await told('pin', {
        wrapping_key: pinned.name,
        key_id: pinned.keyId ?? '',
        fingerprint: pinned.fingerprint ?? '',
      })
      return pinned
    },
    retire: async (id, reason) => {
      await inner.retire(id, reason)
      await told('retire', { id, reason })
    },
  }
}
