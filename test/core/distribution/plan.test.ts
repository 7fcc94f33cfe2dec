import { describe, expect, it } from 'vitest'
import { awaitsOnlyNewest, nextStep, type Situation } from '../../../src/core/distribution/plan.ts'
import type { CopyVersionRow } from '../../../src/core/store.ts'
import {
  lostAfterMs,
  now,
  present,
  remote,
  restoring,
  row,
  seenRow,
  situation,
  stranger,
  unlisted,
} from './plan-situations.ts'

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
