import { createDecipheriv, randomFillSync } from 'node:crypto'
import { invalid } from '../errors.ts'
import type { GeneratedKey, RsaType } from './generate.ts'
import type { SealedKey } from './rsa-workers.ts'

/** How many ready keys of each RSA type are kept; 0 keeps none. */
export type PoolSizes = Record<RsaType, number>

export const defaultPoolSizes: PoolSizes = { 'rsa-2048': 32, 'rsa-3072': 16, 'rsa-4096': 8 }
export const rsaTypes = Object.keys(defaultPoolSizes) as RsaType[]

export interface ReadyKeysStats {
  /** Keys in the pool, and as many as are wanted in it. */
  ready: PoolSizes
  wanted: PoolSizes
  /** How often a key was asked for and none was ready, since the start. */
  misses: PoolSizes
}

/** Ready keys, sealed in memory under a key that lives as long as the process, first in first out. */
export interface ReadyKeys {
  /** The key that workers seal under: shared memory, so that zeroing it here zeroes it for them. */
  readonly poolKey: Uint8Array
  /** Keeps a key unless there are enough of its type; a surplus one is dropped, sealed as it is. */
  put(type: RsaType, key: SealedKey): void
  take(type: RsaType): SealedKey | undefined
  /** Opens a key for whoever asked for it: `material` is plaintext from here on. Throws when the box is not one of ours. */
  open(key: SealedKey): GeneratedKey
  /** The type that most wants another key (the least full one), given how many of each are being made; undefined when all is full. */
  wanted(making: (type: RsaType) => number): RsaType | undefined
  count(): PoolSizes
  stats(): ReadyKeysStats
  /** Drops and zeroes all boxes. */
  empty(): void
}

/** Makes an empty pool. Throws `invalid` when a size is not a whole number from 0 to 10,000. */
export function createReadyKeys(sizes: Partial<PoolSizes> = {}): ReadyKeys {
  const size: PoolSizes = { ...defaultPoolSizes, ...sizes }
  for (const type of rsaTypes) checkWholeNumber(`the pool size of ${type}`, size[type], 0, 10_000)
  const boxes: Record<RsaType, SealedKey[]> = { 'rsa-2048': [], 'rsa-3072': [], 'rsa-4096': [] }
  const misses: PoolSizes = { 'rsa-2048': 0, 'rsa-3072': 0, 'rsa-4096': 0 }
  const count = () => ({
    'rsa-2048': boxes['rsa-2048'].length,
    'rsa-3072': boxes['rsa-3072'].length,
    'rsa-4096': boxes['rsa-4096'].length,
  })
  const poolKey = randomFillSync(new Uint8Array(new SharedArrayBuffer(32)))

  return {
    poolKey,
    put(type, key) {
      if (boxes[type].length < size[type]) boxes[type].push(key)
    },
    take(type) {
      const key = boxes[type].shift()
      if (key === undefined) misses[type]++
      return key
    },
    open({ box, publicKey }) {
      const decipher = createDecipheriv('aes-256-gcm', poolKey, box.subarray(0, 12))
      decipher.setAAD(Buffer.from(publicKey))
      decipher.setAuthTag(box.subarray(-16))
      const material = decipher.update(box.subarray(12, -16))
      try {
        decipher.final()
      } catch (cause) {
        material.fill(0)
        throw new Error('a ready key does not open', { cause })
      }
      return { material, publicKey }
    },
    wanted(making) {
      let most = 0
      let wanted: RsaType | undefined
      for (const type of rsaTypes) {
        const missing = (size[type] - boxes[type].length - making(type)) / size[type]
        if (missing > most) {
          most = missing
          wanted = type
        }
      }
      return wanted
    },
    count,
    stats: () => ({ ready: count(), wanted: { ...size }, misses: { ...misses } }),
    empty() {
      for (const type of rsaTypes) for (const { box } of boxes[type].splice(0)) box.fill(0)
    },
  }
}

/** Throws `invalid` unless `value` is a whole number from `least` to `most`. */
export function checkWholeNumber(what: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return
  throw invalid(`${what} is ${value}: allowed is a whole number from ${least} to ${most}`)
}
