import fc from 'fast-check'
import type { Situation } from '../../../src/core/distribution/plan.ts'
import type { ReadVersion, RemoteKey } from '../../../src/core/kms/provider.ts'
import type { CopyVersionRow } from '../../../src/core/store.ts'

export const lostAfterMs = 40_000
export const recoveryMs = 600_000
export const newestAfterMs = 1_000
export const now = 1_000_000

/** A version of the copy, by what is known of it. */
export const row = (version: number, more: Partial<CopyVersionRow> = {}): CopyVersionRow => ({
  copyId: 'copy',
  version,
  importId: `import-${version}`,
  sentAt: null,
  remoteVersion: null,
  seenAt: null,
  enabled: null,
  ...more,
})
export const seenRow = (version: number, more: Partial<CopyVersionRow> = {}) =>
  row(version, { remoteVersion: `remote-${version}`, seenAt: now - 5_000, enabled: true, ...more })
/** A version in the cloud. */
export const remote = (version: number, more: Partial<ReadVersion> = {}): ReadVersion => ({
  remoteVersion: `remote-${version}`,
  importId: `import-${version}`,
  enabled: true,
  ...more,
})
export const stranger = (more: Partial<ReadVersion> = {}): ReadVersion => ({
  remoteVersion: 'stranger',
  importId: null,
  enabled: true,
  ...more,
})
export const present = (...versions: ReadVersion[]): RemoteKey => {
  const latest = versions.at(-1)
  if (!latest) throw new Error('a key has a version')
  return { state: 'present', latest, versions }
}
/** The same as it is seen without the right to list. */
export const unlisted = (...versions: ReadVersion[]): RemoteKey => {
  const { latest } = present(...versions) as { latest: ReadVersion }
  return { state: 'present', latest }
}
export const situation = (more: Partial<Situation>): Situation => ({
  versions: [],
  minEnabledVersion: 1,
  delivered: false,
  remoteName: 'orders-1',
  remote: { state: 'absent' },
  recoverySentAt: null,
  parallel: true,
  now,
  lostAfterMs,
  newestAfterMs,
  restore: { recover: false, missing: false },
  ...more,
})
/** What may be put right of a copy that was delivered once. */
export const restoring = { delivered: true, restore: { recover: true, missing: true } }

/** Any copy of up to six versions, each in any state, before any sight of the cloud: ours, doubles and strangers in any order. */
export const situations: fc.Arbitrary<Situation> = fc
  .array(
    fc.record({
      sentAt: fc.option(fc.integer({ min: now - 2 * lostAfterMs, max: now })),
      seen: fc.boolean(),
      again: fc.boolean(),
      enabled: fc.boolean(),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .chain((states) => {
    const versions = states.map(({ sentAt, seen, again, enabled }, index) =>
      seen ? seenRow(index + 1, { enabled, sentAt: again ? sentAt : null }) : row(index + 1, { sentAt }),
    )
    const version = fc.oneof(
      fc.integer({ min: 1, max: states.length }).chain((number) =>
        fc.record({
          remoteVersion: fc.constantFrom(`remote-${number}`, `double-${number}`),
          importId: fc.constant(`import-${number}`),
          enabled: fc.boolean(),
        }),
      ),
      fc.constant(stranger()),
    )
    const key = fc
      .array(version, { minLength: 1, maxLength: 8 })
      .chain((list) => fc.constantFrom(present(...list), unlisted(...list)))
    return fc.record({
      versions: fc.constant(versions),
      minEnabledVersion: fc.integer({ min: 0, max: states.length }),
      delivered: fc.boolean(),
      remoteName: fc.constant('orders-1'),
      remote: fc.oneof(fc.constant<RemoteKey>({ state: 'absent' }), fc.constant<RemoteKey>({ state: 'deleted' }), key),
      recoverySentAt: fc.option(fc.integer({ min: now - 2 * recoveryMs, max: now })),
      parallel: fc.boolean(),
      now: fc.constant(now),
      lostAfterMs: fc.constant(lostAfterMs),
      newestAfterMs: fc.constant(newestAfterMs),
      restore: fc.record({ recover: fc.boolean(), missing: fc.boolean() }),
    })
  })
export const runs = { numRuns: 5_000 }
/** Whether a version that was read or listed is at the place that is known of it. */
export const isThere = ({ versions, remote }: Situation, version: number) => {
  const id = versions[version - 1]?.remoteVersion
  return remote.state === 'present' && (remote.versions ?? [remote.latest]).some((seen) => seen.remoteVersion === id)
}
export const isOurs = ({ versions }: Pick<Situation, 'versions'>, seen: { importId: string | null }) =>
  versions.some((one) => one.importId === seen.importId)
