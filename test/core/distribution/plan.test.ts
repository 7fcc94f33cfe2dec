import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { awaitsOnlyNewest, nextStep, type Situation } from '../../../src/core/distribution/plan.ts'
import { nextRemovalStep } from '../../../src/core/distribution/removal.ts'
import type { ReadVersion, RemoteKey } from '../../../src/core/kms/provider.ts'
import type { CopyVersionRow } from '../../../src/core/store.ts'

const lostAfterMs = 40_000
const recoveryMs = 600_000
const newestAfterMs = 1_000
const now = 1_000_000

/** A version of the copy, by what is known of it. */
const row = (version: number, more: Partial<CopyVersionRow> = {}): CopyVersionRow => ({
  copyId: 'copy',
  version,
  importId: `import-${version}`,
  sentAt: null,
  remoteVersion: null,
  seenAt: null,
  enabled: null,
  ...more,
})
const seenRow = (version: number, more: Partial<CopyVersionRow> = {}) =>
  row(version, { remoteVersion: `remote-${version}`, seenAt: now - 5_000, enabled: true, ...more })
/** A version in the cloud. */
const remote = (version: number, more: Partial<ReadVersion> = {}): ReadVersion => ({
  remoteVersion: `remote-${version}`,
  importId: `import-${version}`,
  enabled: true,
  ...more,
})
const stranger = (more: Partial<ReadVersion> = {}): ReadVersion => ({
  remoteVersion: 'stranger',
  importId: null,
  enabled: true,
  ...more,
})
const present = (...versions: ReadVersion[]): RemoteKey => {
  const latest = versions.at(-1)
  if (!latest) throw new Error('a key has a version')
  return { state: 'present', latest, versions }
}
/** The same as it is seen without the right to list. */
const unlisted = (...versions: ReadVersion[]): RemoteKey => {
  const { latest } = present(...versions) as { latest: ReadVersion }
  return { state: 'present', latest }
}
const situation = (more: Partial<Situation>): Situation => ({
  versions: [],
  minEnabledVersion: 1,
  delivered: false,
  remoteName: 'orders-1',
  remote: { state: 'absent' },
  parallel: true,
  now,
  lostAfterMs,
  newestAfterMs,
  restore: { recover: false, missing: false },
  ...more,
})
/** What may be put right of a copy that was delivered once. */
const restoring = { delivered: true, restore: { recover: true, missing: true } }

describe('the next step of a delivery', () => {
  it.each<[string, Partial<Situation>, object]>([
    ['the only version', { versions: [row(1)] }, { do: 'import', versions: [1] }],
    ['all but the newest', { versions: [row(1), row(2), row(3)] }, { do: 'import', versions: [1, 2] }],
    [
      'one at a time without a list',
      { versions: [row(1), row(2), row(3)], parallel: false },
      { do: 'import', versions: [1] },
    ],
    [
      'the newest in a later second',
      { versions: [seenRow(1, { seenAt: now - 400 }), row(2)], remote: present(remote(1)) },
      { do: 'wait', until: now + 600, why: expect.stringMatching(/becomes the current one$/) },
    ],
    [
      'the newest then',
      { versions: [seenRow(1), row(2)], remote: present(remote(1)) },
      { do: 'import', versions: [2] },
    ],
    [
      'a lost answer is waited for',
      { versions: [row(1, { sentAt: now - 1 })] },
      { do: 'wait', until: now - 1 + lostAfterMs, why: expect.stringMatching(/answer was lost/) },
    ],
    [
      'and nothing else is sent meanwhile',
      { versions: [row(1, { sentAt: now - 1 }), row(2), row(3)] },
      { do: 'wait', until: now - 1 + lostAfterMs, why: expect.any(String) },
    ],
    [
      'until it can no longer come',
      { versions: [row(1, { sentAt: now - lostAfterMs })] },
      { do: 'import', versions: [1] },
    ],
    [
      'found by its import id',
      { versions: [row(1, { sentAt: now - 1 })], remote: present(remote(1)) },
      { do: 'adopt', found: [{ version: 1, remote: remote(1) }] },
    ],
    [
      'found also as the latest alone',
      { versions: [seenRow(1), row(2, { sentAt: 1 })], remote: unlisted(remote(1), remote(2)) },
      { do: 'adopt', found: [{ version: 2, remote: remote(2) }] },
    ],
    ['a name that is taken', { versions: [row(1)], remote: present(stranger()) }, { do: 'rename' }],
    ['a name that is soft-deleted', { versions: [row(1)], remote: { state: 'deleted' } }, { do: 'rename' }],
    [
      'a name that was deleted before anything was seen',
      { versions: [row(1, { sentAt: 1 })], remote: { state: 'deleted' } },
      { do: 'rename' },
    ],
    [
      'the latest is a stranger',
      { versions: [seenRow(1), row(2)], remote: present(remote(1), stranger()), delivered: true },
      { do: 'stop', why: 'version stranger of "orders-1" was not made by this gateway: nothing is sent onto it' },
    ],
    [
      'a stranger below, before the first delivery',
      { versions: [seenRow(1), row(2)], remote: present(stranger(), remote(1)) },
      { do: 'stop', why: expect.stringMatching(/^version stranger/) },
    ],
    [
      'a stranger below, later',
      { versions: [seenRow(1), row(2)], remote: present(stranger(), remote(1)), delivered: true },
      { do: 'import', versions: [2] },
    ],
    [
      'a deleted key that may be recovered',
      { ...restoring, versions: [seenRow(1)], remote: { state: 'deleted' } },
      { do: 'recover' },
    ],
    [
      'a key that is gone and may come again',
      { ...restoring, versions: [seenRow(1), seenRow(2)] },
      { do: 'import', versions: [1] },
    ],
    [
      'not while its import may be on its way',
      { ...restoring, versions: [seenRow(1, { sentAt: now - 1 })] },
      { do: 'wait', until: now - 1 + lostAfterMs, why: expect.stringMatching(/answer was lost/) },
    ],
    [
      'nor is anything else sent then, where it is no longer wanted',
      { delivered: true, versions: [seenRow(1, { sentAt: now - 1 }), row(2)], remote: present(remote(1)) },
      { do: 'wait', until: now - 1 + lostAfterMs, why: expect.stringMatching(/answer was lost/) },
    ],
    [
      'what came of it is found, also where it is no longer wanted',
      {
        delivered: true,
        versions: [seenRow(1, { sentAt: 1 })],
        remote: present(remote(1, { remoteVersion: 'again' })),
      },
      { do: 'adopt', found: [{ version: 1, remote: remote(1, { remoteVersion: 'again' }) }] },
    ],
    [
      'whose name somebody else took meanwhile',
      { ...restoring, versions: [seenRow(1)], remote: present(stranger()) },
      { do: 'stop', why: expect.stringMatching(/^version stranger/) },
    ],
    [
      'the newest versions that are gone',
      { ...restoring, versions: [seenRow(1), seenRow(2), seenRow(3)], remote: present(remote(1)) },
      { do: 'import', versions: [2] },
    ],
    [
      'the newest that are gone, without a list',
      { ...restoring, versions: [seenRow(1), seenRow(2), seenRow(3)], remote: unlisted(remote(1)) },
      { do: 'import', versions: [2] },
    ],
    [
      'an older one that is gone, as long as the newest is gone as well',
      { ...restoring, versions: [seenRow(1), seenRow(2), seenRow(3)], remote: present(remote(2)) },
      { do: 'import', versions: [1] },
    ],
    [
      'not an older one that is gone, before a rotation that is still to come: callers have the one before it',
      { ...restoring, versions: [seenRow(1), seenRow(2), row(3)], remote: present(remote(2)) },
      { do: 'import', versions: [3] },
    ],
    [
      'the newest one that is gone, and then what a rotation made',
      { ...restoring, versions: [seenRow(1), seenRow(2), row(3)], remote: present(remote(1)) },
      { do: 'import', versions: [2] },
    ],
    [
      'those before the newest that there was first, also beside what a rotation made: without it they could not come any more',
      {
        ...restoring,
        parallel: true,
        versions: [seenRow(1), seenRow(2), seenRow(3), row(4)],
        remote: { state: 'absent' },
      },
      { do: 'import', versions: [1, 2] },
    ],
    [
      'nothing where the tag of the current version is that of an older one, without a list',
      {
        ...restoring,
        versions: [seenRow(1), seenRow(2)],
        remote: unlisted(remote(1, { remoteVersion: 'remote-2' })),
      },
      { do: 'settled' },
    ],
    [
      'an older one that is gone stays so: it would become the current one',
      { ...restoring, versions: [seenRow(1), seenRow(2)], remote: present(remote(2)) },
      { do: 'settled' },
    ],
    [
      'one that is there in another place',
      {
        ...restoring,
        versions: [seenRow(1), seenRow(2)],
        remote: present(remote(1, { remoteVersion: 'double-1' }), remote(2)),
      },
      { do: 'adopt', found: [{ version: 1, remote: remote(1, { remoteVersion: 'double-1' }) }] },
    ],
    [
      'nothing where a stranger is',
      { ...restoring, versions: [seenRow(1), seenRow(2)], remote: present(stranger(), remote(1)) },
      { do: 'stop', why: expect.stringMatching(/^version 2 .* is not the current one in the KMS/) },
    ],
    [
      'but what is new, which goes on beside a stranger',
      { ...restoring, versions: [seenRow(1), seenRow(2), row(3)], remote: present(stranger(), remote(1)) },
      { do: 'import', versions: [3] },
    ],
    [
      'a deleted key that is ours, where the cloud tells',
      { ...restoring, versions: [seenRow(1)], remote: { state: 'deleted', latest: remote(1) } },
      { do: 'recover' },
    ],
    [
      'a deleted key that is somebody else’s',
      { ...restoring, versions: [seenRow(1)], remote: { state: 'deleted', latest: stranger() } },
      { do: 'stop', why: expect.stringMatching(/was deleted in the KMS/) },
    ],
    [
      'a key that is gone, where that was not found before',
      { delivered: true, versions: [seenRow(1)] },
      { do: 'stop', why: expect.stringMatching(/^"orders-1" is no longer in the KMS/) },
    ],
    [
      'the tag of one version on another',
      { versions: [seenRow(1), row(2, { sentAt: now - 1 })], remote: present(remote(1, { importId: 'import-2' })) },
      { do: 'wait', until: now - 1 + lostAfterMs, why: expect.any(String) },
    ],
    [
      'a stranger where a lost import went',
      { versions: [row(1, { sentAt: 1 })], remote: present(stranger()) },
      { do: 'stop', why: expect.stringMatching(/^version stranger/) },
    ],
    [
      'gone',
      { versions: [seenRow(1)], delivered: true },
      { do: 'stop', why: '"orders-1" is no longer in the KMS: remove the key from this KMS and distribute it again' },
    ],
    [
      'deleted',
      { versions: [seenRow(1)], remote: { state: 'deleted' } },
      { do: 'stop', why: expect.stringMatching(/was deleted in the KMS: recover it there/) },
    ],
    [
      'an older version is the current one',
      { versions: [seenRow(1), seenRow(2)], remote: present(remote(2), remote(1)) },
      { do: 'stop', why: 'version 2 (remote-2) of "orders-1" is not the current one in the KMS: remote-1 is' },
    ],
    ['all is well', { versions: [seenRow(1), seenRow(2)], remote: present(remote(1), remote(2)) }, { do: 'settled' }],
    [
      'below min_enabled_version',
      { versions: [seenRow(1), seenRow(2)], remote: present(remote(1), remote(2)), minEnabledVersion: 2 },
      { do: 'set-enabled', changes: [{ version: 1, remoteVersion: 'remote-1', enabled: false }] },
    ],
    [
      'disabled by hand',
      { versions: [seenRow(1)], remote: present(remote(1, { enabled: false })) },
      { do: 'set-enabled', changes: [{ version: 1, remoteVersion: 'remote-1', enabled: true }] },
    ],
    [
      'what cannot be seen is taken as it was last set',
      { versions: [seenRow(1, { enabled: false }), seenRow(2)], remote: unlisted(remote(1), remote(2)) },
      { do: 'set-enabled', changes: [{ version: 1, remoteVersion: 'remote-1', enabled: true }] },
    ],
    [
      'a double of the newest is the newest',
      { versions: [seenRow(1)], remote: present(remote(1), remote(1, { remoteVersion: 'double' })) },
      { do: 'settled' },
    ],
    [
      'a double is kept in step',
      {
        versions: [seenRow(1), seenRow(2)],
        remote: present(remote(1), remote(1, { remoteVersion: 'double' }), remote(2)),
        minEnabledVersion: 2,
      },
      {
        do: 'set-enabled',
        changes: [
          { version: 1, remoteVersion: 'remote-1', enabled: false },
          { version: 1, remoteVersion: 'double', enabled: false },
        ],
      },
    ],
  ])('%s', (_, more, step) => {
    expect(nextStep(situation(more))).toEqual(step)
  })
})

describe('the next step of a removal', () => {
  it.each<[string, Partial<Situation> & { deleteSentAt?: number }, object]>([
    ['ours', { versions: [seenRow(1)], remote: present(remote(1)) }, { do: 'delete' }],
    ['ours without a list', { versions: [seenRow(1)], remote: unlisted(remote(1)) }, { do: 'delete' }],
    ['what came of a lost import', { versions: [row(1, { sentAt: 1 })], remote: present(remote(1)) }, { do: 'delete' }],
    ['gone', { versions: [seenRow(1)] }, { do: 'gone' }],
    ['deleted', { versions: [seenRow(1)], remote: { state: 'deleted' } }, { do: 'gone' }],
    [
      'a lost import may still come',
      { versions: [seenRow(1), row(2, { sentAt: now - 1 })] },
      { do: 'wait', until: now - 1 + lostAfterMs, why: expect.stringMatching(/answer was lost/) },
    ],
    [
      'nothing is there, but a lost delete may still come',
      { versions: [seenRow(1)], deleteSentAt: now - 1 },
      {
        do: 'wait',
        until: now - 1 + lostAfterMs,
        why: expect.stringMatching(/^a delete was sent whose answer was lost/),
      },
    ],
    ['nor that', { versions: [seenRow(1)], deleteSentAt: now - lostAfterMs }, { do: 'gone' }],
    [
      'a key that is deleted keeps its name',
      { versions: [seenRow(1)], deleteSentAt: now - 1, remote: { state: 'deleted' } },
      { do: 'gone' },
    ],
    [
      'a recovery may still have its effect',
      { versions: [seenRow(1, { sentAt: now - lostAfterMs })], remote: { state: 'deleted' } },
      {
        do: 'wait',
        until: now + lostAfterMs,
        why: 'the deleted key was to be recovered before: waiting until it can no longer come back',
      },
    ],
    [
      'also where nothing is to be seen meanwhile',
      { versions: [seenRow(1), seenRow(2, { sentAt: now - lostAfterMs })] },
      { do: 'wait', until: now + lostAfterMs, why: expect.any(String) },
    ],
    [
      'until its time is over',
      { versions: [seenRow(1, { sentAt: now - recoveryMs + 1 })], remote: { state: 'deleted' } },
      { do: 'wait', until: now + 1, why: expect.any(String) },
    ],
    [
      'it came back, and was deleted again',
      { versions: [seenRow(1, { sentAt: now - lostAfterMs })], deleteSentAt: now - 1, remote: { state: 'deleted' } },
      { do: 'gone' },
    ],
    ['it has had it', { versions: [seenRow(1, { sentAt: now - 1 })], remote: present(remote(1)) }, { do: 'delete' }],
    [
      'it came to nothing',
      { versions: [seenRow(1, { sentAt: now - recoveryMs })], remote: { state: 'deleted' } },
      { do: 'gone' },
    ],
    ['or no longer', { versions: [row(1, { sentAt: now - lostAfterMs })] }, { do: 'gone' }],
    [
      'somebody else’s',
      { versions: [seenRow(1)], remote: present(stranger()) },
      {
        do: 'stop',
        why: 'version stranger of "orders-1" was not made by this gateway: nothing is deleted, remove the key in the KMS by hand if that is meant',
      },
    ],
    [
      'somebody else’s below',
      { versions: [seenRow(1)], remote: present(stranger(), remote(1)) },
      { do: 'stop', why: expect.any(String) },
    ],
    [
      'ours by its place, but without our mark',
      { versions: [seenRow(1)], remote: present(remote(1, { importId: null })) },
      { do: 'stop', why: expect.any(String) },
    ],
  ])('%s', (_, more, step) => {
    expect(nextRemovalStep({ deleteSentAt: null, recoveryMs, ...situation(more), ...more })).toEqual(step)
  })
})

describe('only the newest version is still to be sent', () => {
  it.each<[string, CopyVersionRow[], boolean]>([
    ['a rotation', [seenRow(1), seenRow(2), row(3)], true],
    ['a first delivery has all before it', [row(1)], false],
    ['two are missing', [seenRow(1), row(2), row(3)], false],
    ['an older one is missing as well', [row(1), seenRow(2), row(3)], false],
    ['it may have been sent', [seenRow(1), row(2, { sentAt: now - 1 })], false],
    ['an older one may have been sent once more', [seenRow(1, { sentAt: 1 }), row(2)], false],
    ['all are there', [seenRow(1), seenRow(2)], false],
    ['none is known', [], false],
  ])('%s', (_, versions, is) => {
    expect(awaitsOnlyNewest(versions)).toBe(is)
  })
})

/** Any copy of up to six versions, each in any state, before any sight of the cloud: ours, doubles and strangers in any order. */
const situations: fc.Arbitrary<Situation> = fc
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
      parallel: fc.boolean(),
      now: fc.constant(now),
      lostAfterMs: fc.constant(lostAfterMs),
      newestAfterMs: fc.constant(newestAfterMs),
      restore: fc.record({ recover: fc.boolean(), missing: fc.boolean() }),
    })
  })
const runs = { numRuns: 5_000 }
/** Whether a version that was read or listed is at the place that is known of it. */
const isThere = ({ versions, remote }: Situation, version: number) => {
  const id = versions[version - 1]?.remoteVersion
  return remote.state === 'present' && (remote.versions ?? [remote.latest]).some((seen) => seen.remoteVersion === id)
}
const isOurs = ({ versions }: Pick<Situation, 'versions'>, seen: { importId: string | null }) =>
  versions.some((one) => one.importId === seen.importId)

describe('whatever the situation, a delivery', () => {
  const always = (what: string, check: (before: Situation, step: ReturnType<typeof nextStep>) => void) =>
    it(what, () =>
      fc.assert(
        fc.property(situations, (before) => check(before, nextStep(before))),
        runs,
      ),
    )

  always(
    'never imports onto a key whose latest version is not ours, or that is deleted',
    ({ versions, remote }, step) => {
      if (step.do !== 'import' || remote.state === 'absent') return
      expect(remote.state).toBe('present')
      if (remote.state === 'present') expect(isOurs({ versions }, remote.latest)).toBe(true)
    },
  )

  always('never imports onto a name where it knows of anybody else, before it was delivered', (before, step) => {
    if (step.do !== 'import' || before.delivered || before.remote.state !== 'present') return
    for (const seen of before.remote.versions ?? []) expect(isOurs(before, seen)).toBe(true)
  })

  always('takes no other name once it was delivered', ({ delivered }, step) => {
    if (delivered) expect(step.do).not.toBe('rename')
  })

  always('sends again only where that is wanted, and while the newest is not there either', (before, step) => {
    if (step.do !== 'import') return
    for (const version of step.versions) {
      if (before.versions[version - 1]?.remoteVersion === null) continue
      expect(before.restore.missing).toBe(true)
      for (const one of [version, before.versions.length]) expect(isThere(before, one)).toBe(false)
    }
  })

  always('recovers only where that is wanted', ({ restore }, step) => {
    if (step.do === 'recover') expect(restore.recover).toBe(true)
  })

  always('never sends what may still be on its way, nor anything beside it', ({ versions }, step) => {
    if (step.do !== 'import') return
    for (const one of versions) {
      if (one.sentAt !== null) expect(one.sentAt + lostAfterMs).toBeLessThanOrEqual(now)
    }
  })

  always('never sends what is there', (before, step) => {
    if (step.do !== 'import') return
    const { versions, remote } = before
    const there = remote.state === 'present' ? (remote.versions ?? [remote.latest]) : []
    for (const version of step.versions) {
      const one = versions[version - 1]
      expect(one?.remoteVersion === null || !isThere(before, version)).toBe(true)
      expect(there.some((seen) => seen.importId === one?.importId)).toBe(false)
    }
  })

  always('sends the newest alone and last, and each version once', ({ versions, parallel }, step) => {
    if (step.do !== 'import') return
    expect(step.versions.length).toBeGreaterThan(0)
    expect(new Set(step.versions).size).toBe(step.versions.length)
    if (!parallel) expect(step.versions).toHaveLength(1)
    if (!step.versions.includes(versions.length)) return
    expect(step.versions).toEqual([versions.length])
    for (const one of versions.slice(0, -1)) {
      expect(one.remoteVersion).not.toBeNull()
      expect((one.seenAt ?? 0) + newestAfterMs).toBeLessThanOrEqual(now)
    }
  })

  always('takes another name only where nothing of it is known to be', ({ versions }, step) => {
    if (step.do === 'rename') for (const one of versions) expect(one.remoteVersion).toBeNull()
  })

  always(
    'is settled only when everything is there, the newest current, and all in the state they should be',
    (before, step) => {
      if (step.do !== 'settled') return
      expect(before.remote.state).toBe('present')
      if (before.remote.state !== 'present') return
      expect(before.remote.latest.importId).toBe(`import-${before.versions.length}`)
      for (const seen of before.remote.versions ?? [before.remote.latest]) {
        const one = before.versions.find((known) => known.importId === seen.importId)
        if (one) expect(seen.enabled).toBe(one.version >= before.minEnabledVersion)
      }
      for (const one of before.versions) expect(one.remoteVersion).not.toBeNull()
    },
  )

  always('enables and disables ours alone, and only what is not so already', (before, step) => {
    if (step.do !== 'set-enabled') return
    for (const { version, remoteVersion, enabled } of step.changes) {
      expect([`remote-${version}`, `double-${version}`]).toContain(remoteVersion)
      expect(enabled).toBe(version >= before.minEnabledVersion)
    }
  })

  always('waits for a time to come', (_, step) => {
    if (step.do === 'wait') expect(step.until).toBeGreaterThan(now)
  })
})

describe('whatever the situation, a removal', () => {
  const deletes = fc.option(fc.integer({ min: now - 2 * lostAfterMs, max: now }))
  type Removal = Parameters<typeof nextRemovalStep>[0]
  const always = (what: string, check: (before: Removal, step: ReturnType<typeof nextRemovalStep>) => void) =>
    it(what, () =>
      fc.assert(
        fc.property(situations, deletes, (some, deleteSentAt) => {
          const before = { ...some, deleteSentAt, recoveryMs }
          check(before, nextRemovalStep(before))
        }),
        runs,
      ),
    )

  always('never deletes a key with a version that is not known to be ours', (before, step) => {
    if (step.do !== 'delete') return
    expect(before.remote.state).toBe('present')
    if (before.remote.state !== 'present') return
    for (const seen of [before.remote.latest, ...(before.remote.versions ?? [])])
      expect(isOurs(before, seen)).toBe(true)
  })

  always('never ends while the key is there, or anything may yet come', (before, step) => {
    if (step.do !== 'gone') return
    const { versions, remote, deleteSentAt } = before
    if (remote.state === 'absent' && deleteSentAt !== null) expect(deleteSentAt + lostAfterMs).toBeLessThanOrEqual(now)
    expect(remote.state).not.toBe('present')
    for (const one of versions) {
      if (one.sentAt === null) continue
      const after = one.remoteVersion === null || deleteSentAt !== null ? lostAfterMs : recoveryMs
      expect(one.sentAt + after).toBeLessThanOrEqual(now)
    }
  })
})

/** The steps taken one after the other, in a cloud that does what it is told. */
describe('a delivery in a cloud without faults', () => {
  it('ends settled, with every version once', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 0, max: 8 }),
        fc.boolean(),
        (count, min, parallel) => {
          const minEnabledVersion = Math.min(min, count)
          const versions = Array.from({ length: count }, (_, index) => row(index + 1))
          const there: ReadVersion[] = []
          let time = now
          for (let steps = 0; steps < 4 * count + 4; steps++) {
            const listed = parallel ? present : unlisted
            const step = nextStep(
              situation({
                versions,
                minEnabledVersion,
                parallel,
                now: time,
                remote: there.length === 0 ? { state: 'absent' } : listed(...there),
              }),
            )
            if (step.do === 'settled') {
              expect(there.map((one) => one.importId)).toEqual(versions.map((one) => one.importId))
              return
            }
            if (step.do === 'wait') time = step.until
            else if (step.do === 'import') {
              for (const version of step.versions) {
                there.push(remote(version, { enabled: version >= minEnabledVersion }))
                versions[version - 1] = seenRow(version, { seenAt: time, enabled: version >= minEnabledVersion })
              }
            } else throw new Error(`told to ${step.do}`)
          }
          throw new Error('never settled')
        },
      ),
      { numRuns: 500 },
    )
  })
})
