import { createHash, createPublicKey } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { type Bench, MemoryRegister, rsaPair, startBench } from './harness.ts'
import { RawClient } from './raw-client.ts'

/** The vault of the bench. */
export const collection = 'https://prod-keys.vault.azure.net'
/** One emulator a file, with nothing left of an earlier test but its keys. */
export let bench: Bench
export let raw: RawClient
/** Of each test's own. */
export let register: MemoryRegister

/** Starts the emulator before the tests of a file, and closes it after them. */
export function kekBench(): void {
  let made = 0
  beforeAll(async () => {
    // Key pairs that take turns, so that a blob wrapped under another version than it names does not open.
    bench = await startBench({ emulator: { rsaKeyPairs: async () => rsaPair(2048, 10 + (made++ % 3)) } })
    raw = new RawClient(bench.emulator)
  })
  afterAll(() => bench.emulator.close())
  beforeEach(() => {
    register = new MemoryRegister()
    bench.emulator.clearRequests()
  })
  afterEach(() => bench.emulator.clearFaults())
}

/** How often the emulator was asked for something. */
export function count(operation: string, path = ''): number {
  return bench.emulator.requests.filter((one) => one.operation === operation && one.path.includes(path)).length
}

/** Of a public key as the vault shows it. */
export function fingerprint(key: { n?: string; e?: string }): string {
  const der = createPublicKey({ key: { kty: 'RSA', n: key.n ?? '', e: key.e ?? '' }, format: 'jwk' }).export({
    type: 'spki',
    format: 'der',
  })
  return `sha256:${createHash('sha256').update(der).digest('hex')}`
}
