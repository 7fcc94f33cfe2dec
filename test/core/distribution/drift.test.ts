import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { compare, type Look } from '../../../src/core/distribution/drift.ts'
import type { ReadVersion, RemoteKey } from '../../../src/core/kms/provider.ts'
import type { CopyVersionRow } from '../../../src/core/store.ts'

const publicKey = () =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'der' })
const ours = publicKey()
const row = (version: number): CopyVersionRow => ({
  ...{ copyId: 'copy', version, importId: `v${version}-id`, sentAt: null, seenAt: 1, enabled: true },
  remoteVersion: `remote-${version}`,
})
const there = (version: number, more: Partial<ReadVersion> = {}): ReadVersion => ({
  ...{ remoteVersion: `remote-${version}`, importId: `v${version}-id`, enabled: true, publicKey: ours },
  ...more,
})
const listed = (...versions: ReadVersion[]): RemoteKey => ({
  ...{ state: 'present', versions },
  latest: versions.at(-1) as ReadVersion,
})
const wanted: Pick<Look['copy'], 'purposes'> = { purposes: ['verify', 'sign'] }
const look = (remote: RemoteKey, more: Partial<Look> = {}): Look => ({
  copy: { ...{ remoteName: 'orders-1', options: {}, repair: 'restore', drift: [] }, ...wanted },
  versions: [row(1), row(2)],
  minEnabledVersion: 1,
  remote,
  read: new Map(),
  newestPublicKey: ours,
  can: { change: true, recover: true },
  now: 1_000,
  ...more,
})
const driftOf = (of: Look) => compare(of).drift
const kinds = (of: Look) => driftOf(of).map(({ kind }) => kind)

describe('drift', () => {
  it.each<[string, Look, string[]]>([
    ['nothing', look(listed(there(1), there(2))), []],
    [
      'nothing, where the provider does not tell the public key',
      look(listed(there(1), { ...there(2), publicKey: undefined } as never)),
      [],
    ],
    ['a key that is gone', look({ state: 'absent' }), ['missing']],
    ['a deleted key', look({ state: 'deleted' }), ['deleted']],
    ['a version that is gone', look(listed(there(2))), ['version_missing']],
    ['a disabled version', look(listed(there(1, { enabled: false }), there(2))), ['version_disabled']],
    ['an enabled one', look(listed(there(1), there(2)), { minEnabledVersion: 2 }), ['version_enabled']],
    ['a foreign version', look(listed(there(1), there(2), there(3))), ['version_extra']],
    [
      'no foreign version, but one of ours that came twice',
      look(listed(there(1), there(2), there(3, { importId: 'v2-id' }))),
      [],
    ],
    ['a changed tag', look(listed(there(1, { importId: null }), there(2))), ['tags']],
    ['another public key', look(listed(there(1), there(2, { publicKey: publicKey() }))), ['material']],
    ['no public key', look(listed(there(1), there(2, { publicKey: null }))), ['material']],
    ['a key where a symmetric one was sent', look(listed(there(1), there(2)), { newestPublicKey: null }), ['material']],
    ['the same purposes', look(listed(there(1), there(2, { purposes: ['sign', 'verify'] }))), []],
    ['other purposes', look(listed(there(1), there(2, { purposes: ['sign'] }))), ['purposes']],
    ['no purposes', look(listed(there(1), there(2, { purposes: [] }))), ['purposes']],
    [
      'several things',
      look(listed(there(1, { enabled: false }), there(2, { purposes: ['sign'] }), there(3))),
      ['version_disabled', 'purposes', 'version_extra'],
    ],
  ])('is %s', (_, of, expected) => {
    expect(kinds(of)).toEqual(expected)
  })

  it('of a key whose versions may not be listed is what was read of them', () => {
    const latest: RemoteKey = { state: 'present', latest: there(2) }
    expect(kinds(look(latest))).toEqual([])
    expect(kinds(look(latest, { read: new Map([['remote-1', there(1, { enabled: false })]]) }))).toEqual([
      'version_disabled',
    ])
    expect(kinds(look(latest, { read: new Map([['remote-1', undefined]]) }))).toEqual(['version_missing'])
  })

  it('keeps when it was first seen, as long as it is the same', () => {
    const first = driftOf(look(listed(there(1, { enabled: false }), there(2))))
    expect(first.map(({ firstSeen }) => firstSeen)).toEqual([1_000])
    const copy = { ...look({ state: 'absent' }).copy, drift: first }
    const later = driftOf(look(listed(there(1, { enabled: false }), there(2), there(3)), { copy, now: 2_000 }))
    expect(later.map(({ kind, firstSeen }) => [kind, firstSeen])).toEqual([
      ['version_disabled', 1_000],
      ['version_extra', 2_000],
    ])
    expect(driftOf(look({ state: 'absent' }, { copy, now: 3_000 }))).toEqual([
      { kind: 'missing', detail: '"orders-1" is not in the KMS', firstSeen: 3_000 },
    ])
  })

  const options = { tags: { team: 'pay' }, expires: 2_000_000_000 }
  const withOptions = (versions: ReadVersion[], more: Partial<Look> = {}) =>
    look(listed(...versions), { copy: { ...look(listed(there(1))).copy, options }, ...more })
  const given = { tags: { team: 'pay' }, expires: 2_000_000_000, notBefore: null, labelled: true }

  it.each<[string, Partial<ReadVersion>, [string, string][]]>([
    ['nothing', given, []],
    ['nothing, with tags of others', { ...given, tags: { team: 'pay', cost: '7' } }, []],
    ['nothing, where the provider does not tell', {}, []],
    ['a tag that is gone', { ...given, tags: {} }, [['tags', 'does not bear the tags "team" as given']]],
    ['another value', { ...given, tags: { team: 'x' } }, [['tags', 'does not bear the tags "team" as given']]],
    [
      'a tag of the provider',
      { ...given, labelled: false },
      [['tags', 'does not bear the tags that it was imported with']],
    ],
    [
      'another end',
      { ...given, expires: 1_900_000_000 },
      [['times', 'may be used up to 2030-03-17T17:46:40.000Z, and should be up to 2033-05-18T03:33:20.000Z']],
    ],
    [
      'no end',
      { ...given, expires: null },
      [['times', 'may be used up to any time, and should be up to 2033-05-18T03:33:20.000Z']],
    ],
    [
      'a beginning',
      { ...given, notBefore: 1_900_000_000 },
      [['times', 'may be used from 2030-03-17T17:46:40.000Z, and should be from any time']],
    ],
  ])('of tags and times is %s', (_, more, expected) => {
    const found = driftOf(withOptions([there(1, more), there(2, given)]))
    expect(found.map(({ kind, detail }) => [kind, detail])).toEqual(
      expected.map(([kind, detail]) => [kind, `version 1 (remote-1) ${detail}`]),
    )
  })

  it('of purposes is told of every version that was read in full', () => {
    const read = new Map([['remote-1', there(1, { purposes: ['sign'] })]])
    expect(kinds(look(listed(there(1), there(2)), { read }))).toEqual(['purposes'])
  })

  it.each<[string, Look, (string | null)[]]>([
    ['a key that is gone', look({ state: 'absent' }), [null]],
    ['a deleted key', look({ state: 'deleted' }), [null]],
    [
      'a deleted key where the provider has no way to',
      look({ state: 'deleted' }, { can: { change: true, recover: false } }),
      ['the provider does not recover keys'],
    ],
    [
      'a deleted key of somebody else',
      look({ state: 'deleted', latest: there(9) }),
      ['what was deleted there was not made by this gateway'],
    ],
    ['states', look(listed(there(1, { enabled: false }), there(2))), [null]],
    ['purposes', look(listed(there(1), there(2, { purposes: [] }))), [null]],
    [
      'purposes where the provider has no way to',
      look(listed(there(1), there(2, { purposes: [] })), { can: { change: false, recover: true } }),
      ['the provider has no change of a version in place'],
    ],
    ['tags', look(listed(there(1, { importId: null }), there(2))), [null]],
    [
      'a time where none should be',
      look(listed(there(1, { expires: 5 }), there(2))),
      ['a time can be changed there, and not taken away'],
    ],
    ['a newest version that is gone', look(listed(there(1))), [null]],
    [
      'an older one that is gone',
      look(listed(there(2))),
      ['imported again, it would become the current version in place of version 2'],
    ],
    [
      'an older one that is gone, beside a state',
      look(listed(there(2, { enabled: false }))),
      ['imported again, it would become the current version in place of version 2', null],
    ],
    [
      'an older one that is there in another place',
      look(listed(there(1, { remoteVersion: 'elsewhere' }), there(2))),
      [null],
    ],
    [
      'anything where a foreign version is',
      look(listed(there(1, { enabled: false }), there(2), there(3))),
      [
        'nothing is changed in a key that holds what this gateway did not bring',
        'a version cannot be taken away alone, and what others made is not touched',
      ],
    ],
    [
      'anything where another key is',
      look(listed(there(1, { enabled: false }), there(2, { publicKey: publicKey() }))),
      [
        'nothing is changed in a key that holds what this gateway did not bring',
        'the key of a version cannot be changed',
      ],
    ],
  ])('is put right, or the reason told: %s', (_, of, reasons) => {
    const { drift, restorable } = compare(of)
    expect(drift.map(({ notRestored }) => notRestored ?? null)).toEqual(reasons)
    expect(restorable).toEqual(drift.filter((_entry, index) => reasons[index] === null))
    // Where it is only told, there is no such reason.
    const told = compare({ ...of, copy: { ...of.copy, repair: 'report' } }).drift
    expect(told.map(({ notRestored }) => notRestored)).toEqual(reasons.map(() => undefined))
  })

  it('keeps why it was not put right and when that was tried, until it is otherwise', () => {
    const [found] = driftOf(look({ state: 'deleted' }))
    if (!found) throw new Error('nothing was found')
    const tried = { ...found, triedAt: 5, notRestored: 'no right to recover' }
    const copy = { ...look({ state: 'deleted' }).copy, drift: [tried] }
    expect(driftOf(look({ state: 'deleted' }, { copy, now: 9_000 }))).toEqual([tried])
    expect(driftOf(look(listed(there(1), there(2)), { copy }))).toEqual([])
  })
})
