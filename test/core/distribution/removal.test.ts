import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Situation } from '../../../src/core/distribution/plan.ts'
import { nextRemovalStep } from '../../../src/core/distribution/removal.ts'
import {
  isOurs,
  lostAfterMs,
  now,
  present,
  recoveryMs,
  remote,
  row,
  runs,
  seenRow,
  situation,
  situations,
  stranger,
  unlisted,
} from './plan-situations.ts'

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
      { versions: [seenRow(1)], remote: { state: 'deleted' }, recoverySentAt: now - lostAfterMs },
      {
        do: 'wait',
        until: now + lostAfterMs,
        why: 'the deleted key is being recovered: waiting until it is there',
      },
    ],
    [
      'also where nothing is to be seen meanwhile',
      { versions: [seenRow(1)], recoverySentAt: now - lostAfterMs },
      { do: 'wait', until: now + lostAfterMs, why: expect.any(String) },
    ],
    [
      'until its time is over',
      { versions: [seenRow(1)], remote: { state: 'deleted' }, recoverySentAt: now - recoveryMs + 1 },
      { do: 'wait', until: now + 1, why: expect.any(String) },
    ],
    ['it has had it', { versions: [seenRow(1)], remote: present(remote(1)), recoverySentAt: 1 }, { do: 'delete' }],
    [
      'it came to nothing',
      { versions: [seenRow(1)], remote: { state: 'deleted' }, recoverySentAt: now - recoveryMs },
      { do: 'gone' },
    ],
    [
      'an import of a version that was there before was lost',
      { versions: [seenRow(1, { sentAt: now - lostAfterMs })] },
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
    const { versions, remote, deleteSentAt, recoverySentAt } = before
    if (remote.state === 'absent' && deleteSentAt !== null) expect(deleteSentAt + lostAfterMs).toBeLessThanOrEqual(now)
    expect(remote.state).not.toBe('present')
    if (recoverySentAt !== null) expect(recoverySentAt + recoveryMs).toBeLessThanOrEqual(now)
    for (const one of versions) {
      if (one.sentAt !== null) expect(one.sentAt + lostAfterMs).toBeLessThanOrEqual(now)
    }
  })
})
