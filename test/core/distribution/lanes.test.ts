import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Lanes, type Room } from '../../../src/core/distribution/lanes.ts'
import type { DueCopy } from '../../../src/core/store.ts'

const room: Room = { total: 8, namespace: 4, lane: 3 }
const copy = (id: string | number, collection = 'one', namespaceId = 'a'): DueCopy => ({
  id: `${namespaceId}-${collection}-${id}`,
  namespaceId,
  collection,
})
function filled(...lanes: [number, string, string][]): Lanes {
  const made = new Lanes(room)
  for (const [count, collection, namespace] of lanes)
    for (let id = 0; id < count; id++) made.add(copy(id, collection, namespace))
  return made
}
function takeAll(lanes: Lanes): DueCopy[] {
  const taken: DueCopy[] = []
  for (let next = lanes.take(); next; next = lanes.take()) taken.push(next)
  return taken
}
const lanesOf = (copies: DueCopy[]) => copies.map(({ namespaceId, collection }) => `${namespaceId}/${collection}`)

describe('room', () => {
  it('is a lane’s, a namespace’s and all that there is', () => {
    expect(lanesOf(takeAll(filled([9, 'one', 'a'])))).toEqual(['a/one', 'a/one', 'a/one'])
    expect(lanesOf(takeAll(filled([9, 'one', 'a'], [9, 'two', 'a'])))).toEqual(['a/one', 'a/two', 'a/one', 'a/two'])
    const all = takeAll(filled([9, 'one', 'a'], [9, 'one', 'b'], [9, 'one', 'c'], [9, 'one', 'd']))
    expect(all).toHaveLength(8)
    expect(new Set(lanesOf(all)).size).toBe(4)
  })

  it('is free again when a copy is done, and each copy is worked on once', () => {
    const lanes = filled([4, 'one', 'a'])
    const [first] = takeAll(lanes)
    expect([lanes.add(copy(0)), lanes.add(copy(3)), lanes.take()]).toEqual([false, false, undefined])
    lanes.done(first?.id ?? '')
    expect(lanes.take()).toEqual(copy(3))
    expect(lanes.add(copy(0))).toBe(true)
    lanes.done('nobody')
    expect(lanes.waiting).toBe(1)
    lanes.clear()
    expect([lanes.waiting, lanes.take()]).toEqual([0, undefined])
  })

  it('in memory is for little of what is due, but for all that somebody asks for', () => {
    const lanes = new Lanes(room)
    expect(Array.from({ length: 100 }, (_, id) => lanes.add(copy(id), true)).filter(Boolean)).toHaveLength(6)
    expect(Array.from({ length: 100 }, (_, id) => lanes.add(copy(`asked-${id}`))).every(Boolean)).toBe(true)
    expect(lanes.add(copy(0, 'two'), true)).toBe(true)
  })
})

describe('a place that does not answer', () => {
  it('has room for one until it answers', () => {
    const lanes = filled([9, 'dead', 'a'])
    const taken = takeAll(lanes)
    lanes.heard(copy(0, 'dead'), false)
    for (const { id } of taken) lanes.done(id)
    const [only, ...more] = takeAll(lanes)
    expect(more).toEqual([])
    lanes.heard(copy(0, 'dead'), false)
    lanes.done(only?.id ?? '')
    lanes.heard(copy(0, 'dead'), true)
    expect(takeAll(lanes)).toHaveLength(3)
  })

  it('is not held against others, and all such places together get half of the room', () => {
    const dead = Array.from({ length: 20 }, (_, index) => [5, 'dead', `n${index}`] as [number, string, string])
    const lanes = filled(...dead)
    for (const [, collection, namespaceId] of dead) lanes.heard({ collection, namespaceId }, false)
    const held = takeAll(lanes)
    expect(held).toHaveLength(4)
    for (let id = 0; id < 9; id++) lanes.add(copy(id, 'one', 'b'))
    expect(lanesOf(takeAll(lanes))).toEqual(['b/one', 'b/one', 'b/one'])
    for (const { id } of held) lanes.done(id)
    expect(takeAll(lanes)).toHaveLength(4)
  })
})

it('whatever happens, no bound is passed and nobody is forgotten', () => {
  const action = fc.record({
    what: fc.constantFrom('add', 'add', 'add', 'take', 'take', 'done', 'dead', 'alive'),
    id: fc.integer({ min: 0, max: 5 }),
    collection: fc.constantFrom('one', 'two', 'three'),
    namespaceId: fc.constantFrom('a', 'b', 'c', 'd'),
  })
  fc.assert(
    fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const lanes = new Lanes(room)
      const running = new Map<string, DueCopy>()
      const waiting = new Set<string>()
      const take = () => {
        const next = lanes.take()
        if (!next) return false
        expect(waiting.delete(next.id)).toBe(true)
        running.set(next.id, next)
        return true
      }
      for (const { what, id, collection, namespaceId } of actions) {
        const one = copy(id, collection, namespaceId)
        if (what === 'add') {
          expect(lanes.add(one)).toBe(!running.has(one.id) && !waiting.has(one.id))
          if (!running.has(one.id)) waiting.add(one.id)
        } else if (what === 'take') take()
        else if (what === 'done') {
          lanes.done(one.id)
          running.delete(one.id)
        } else lanes.heard(one, what === 'alive')
        const busy = [...running.values()]
        expect(busy.length).toBeLessThanOrEqual(room.total)
        expect(busy.filter((two) => two.namespaceId === namespaceId).length).toBeLessThanOrEqual(room.namespace)
        const same = busy.filter((two) => two.namespaceId === namespaceId && two.collection === collection)
        expect(same.length).toBeLessThanOrEqual(room.lane)
        expect(lanes.waiting).toBe(waiting.size)
      }
      // All places answer, and everything is done.
      for (const namespaceId of ['a', 'b', 'c', 'd'])
        for (const collection of ['one', 'two', 'three']) lanes.heard({ namespaceId, collection }, true)
      for (let rounds = 0; waiting.size > 0; rounds++) {
        expect(rounds).toBeLessThan(200)
        for (const id of [...running.keys()]) {
          lanes.done(id)
          running.delete(id)
        }
        while (take());
      }
    }),
    { numRuns: 1_000 },
  )
})
