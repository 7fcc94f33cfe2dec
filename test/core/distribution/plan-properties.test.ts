import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nextStep, type Situation } from '../../../src/core/distribution/plan.ts'
import type { ReadVersion } from '../../../src/core/kms/provider.ts'
import {
  isOurs,
  isThere,
  lostAfterMs,
  newestAfterMs,
  now,
  present,
  remote,
  row,
  runs,
  seenRow,
  situation,
  situations,
  unlisted,
} from './plan-situations.ts'

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
