import { beforeEach, describe, expect, it } from 'vitest'
import {
  asItIs,
  asItShouldBe,
  clock,
  cloud,
  deliver,
  found,
  hour,
  kinds,
  memoryGateway,
  read,
  sent,
  settled,
} from './restore-gateway.ts'

memoryGateway()

/** What somebody does by hand, and what is seen of it. */
const doings: [string, (name: string) => void, string[]][] = [
  ['the key was deleted and purged', (name) => cloud.keys.delete(name), ['missing']],
  ['the key was deleted', (name) => cloud.softDelete(name), ['deleted']],
  [
    'an old backup of the key was put in its place',
    (name) => cloud.keys.get(name)?.splice(1),
    ['version_missing', 'version_missing'],
  ],
  ['the newest version is gone', (name) => cloud.keys.get(name)?.pop(), ['version_missing']],
  ['a version was disabled', (name) => cloud.change(name, 0, { enabled: false }), ['version_disabled']],
  [
    'operations of the newest were changed',
    (name) => cloud.change(name, -1, { purposes: ['encrypt', 'sign'] }),
    ['purposes'],
  ],
  ['operations of an older one were changed', (name) => cloud.change(name, 0, { purposes: [] }), ['purposes']],
  ['our tag was taken away', (name) => cloud.change(name, 1, { importId: null }), ['tags']],
  ['the tag of another version was put on one', (name) => cloud.change(name, 1, { importId: 'v9-x' }), ['tags']],
  ['a tag of the provider was changed', (name) => cloud.change(name, 1, { labelled: false }), ['tags']],
  ['a given tag was taken away', (name) => cloud.change(name, 0, { tags: { team: 'pay' } }), ['tags']],
  ['a given tag was changed', (name) => cloud.change(name, 2, { tags: { team: 'x', stage: 'prod' } }), ['tags']],
  ['its end was moved', (name) => cloud.change(name, 2, { expires: 1_900_000_000 }), ['times']],
  ['its end was taken away', (name) => cloud.change(name, 0, { expires: null }), ['times']],
  [
    'much was changed',
    (name) => {
      cloud.change(name, 0, { enabled: false, tags: {} })
      cloud.change(name, 1, { purposes: ['sign'] })
      cloud.change(name, 2, { importId: null, expires: null })
    },
    ['tags', 'version_disabled', 'purposes', 'tags', 'times'],
  ],
]

describe.each([
  ['with a list', true],
  ['without a list', false],
])('what was done by hand, %s', (_, listPermitted) => {
  beforeEach(() => {
    cloud.listPermitted = listPermitted
  })

  it.each(doings)('is told and not touched: %s', async (_, doing, expected) => {
    const name = await deliver('report')
    doing(name)
    const before = asItIs()
    const first = await found()
    expect(first.map(({ kind }) => kind)).toEqual(expected)
    clock.late += hour
    expect(await found()).toEqual(first)
    expect(await read()).toMatchObject({ state: 'settled', drift: first })
    expect(asItIs()).toBe(before)
  })

  it.each(doings)('is put right where that is wanted: %s', async (_, doing, expected) => {
    const name = await deliver('restore')
    doing(name)
    expect(await kinds()).toEqual(expected)
    await settled()
    await asItShouldBe(name)
    expect(await found()).toEqual([])
    expect((await read()).drift).toEqual([])
    const before = sent()
    expect(await found()).toEqual([])
    expect(sent()).toBe(before)
  })
})
