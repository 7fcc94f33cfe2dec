import { expect, test } from 'vitest'
import { createReadyKeys } from '../../../src/core/keys/ready-keys.ts'
import type { SealedKey } from '../../../src/core/keys/rsa-workers.ts'

const none = () => 0

function sealedKey(name: string): SealedKey {
  return { box: new Uint8Array(40).fill(7), publicKey: name }
}

test('keeps 32, 16 and 8 keys unless told, first in first out, and drops a surplus one', () => {
  const ready = createReadyKeys()
  for (let i = 0; i < 40; i++) {
    for (const type of ['rsa-2048', 'rsa-3072', 'rsa-4096'] as const) ready.put(type, sealedKey(`${i}`))
  }
  expect(ready.count()).toEqual({ 'rsa-2048': 32, 'rsa-3072': 16, 'rsa-4096': 8 })
  expect(ready.take('rsa-4096')?.publicKey).toBe('0')
  expect(ready.take('rsa-4096')?.publicKey).toBe('1')
  expect(ready.count()['rsa-4096']).toBe(6)
})

test('a size of 0 keeps none and wants none', () => {
  const ready = createReadyKeys({ 'rsa-2048': 0, 'rsa-3072': 0, 'rsa-4096': 0 })
  ready.put('rsa-2048', sealedKey('a'))
  expect(ready.take('rsa-2048')).toBeUndefined()
  expect(ready.wanted(none)).toBeUndefined()
})

test('wants the least full type, counting what is being made', () => {
  const ready = createReadyKeys({ 'rsa-2048': 4, 'rsa-3072': 2, 'rsa-4096': 0 })
  expect(ready.wanted(none)).toBe('rsa-2048')
  expect(ready.wanted((type) => (type === 'rsa-2048' ? 1 : 0))).toBe('rsa-3072')
  ready.put('rsa-3072', sealedKey('a'))
  ready.put('rsa-3072', sealedKey('b'))
  for (let i = 0; i < 3; i++) ready.put('rsa-2048', sealedKey(`${i}`))
  expect(ready.wanted(none)).toBe('rsa-2048')
  expect(ready.wanted((type) => (type === 'rsa-2048' ? 1 : 0))).toBeUndefined()
})

test('emptying zeroes the boxes', () => {
  const ready = createReadyKeys()
  const key = sealedKey('a')
  ready.put('rsa-2048', key)
  ready.empty()
  expect(ready.take('rsa-2048')).toBeUndefined()
  expect(key.box.every((byte) => byte === 0)).toBe(true)
})

test.each([-1, 1.5, Number.NaN, 10_001])('refuses a pool size of %s', (size) => {
  expect(() => createReadyKeys({ 'rsa-3072': size })).toThrow(
    `the pool size of rsa-3072 is ${size}: allowed is a whole number from 0 to 10000`,
  )
})
