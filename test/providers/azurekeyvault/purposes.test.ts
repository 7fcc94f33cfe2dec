import {
  constants,
  createHash,
  createPublicKey,
  type KeyObject,
  privateEncrypt,
  publicEncrypt,
  randomBytes,
} from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { KeyType } from '../../../src/core/keys/types.ts'
import { checkPurposes } from '../../../src/core/kms/matrix.ts'
import { type Protection, type Purpose, purposes } from '../../../src/core/kms/provider.ts'
import { type Bench, importRequest, startBench, type TestKey, testKey } from './harness.ts'
import { RawClient } from './raw-client.ts'

let bench: Bench
let raw: RawClient
beforeAll(async () => {
  bench = await startBench()
  raw = new RawClient(bench.emulator)
})
afterAll(() => bench.emulator.close())

/** Every non-empty subset of the six purposes. */
const subsets = Array.from({ length: 2 ** purposes.length - 1 }, (_, index) =>
  purposes.filter((_, bit) => ((index + 1) >> bit) & 1),
)

describe('every subset of the purposes gives these operations and no others', () => {
  it.each<[KeyType, Protection]>([
    ['rsa-2048', 'hsm'],
    ['rsa-2048', 'software'],
    ['rsa-3072', 'hsm'],
    ['rsa-4096', 'hsm'],
  ])('%s, %s', async (type, protection) => {
    const connection = await bench.open()
    const key = testKey(type)
    const requests = await requestsFor(key)
    for (const subset of subsets) {
      const checked = checkPurposes(bench.provider, type, protection, subset)
      const request = importRequest({ material: key.material, protection, purposes: checked.purposes })
      const version = await connection.importVersion(request)
      expect(version.purposes).toEqual([...subset].sort())
      const id = `https://prod-keys.vault.azure.net/keys/${request.remoteName}/${version.remoteVersion}`
      for (const purpose of purposes) {
        const { operation, body } = requests[purpose]
        const answer = await raw.use(id, operation, body)
        const given = subset.includes(purpose)
        expect([purpose, subset, answer.status, answer.body.error?.innererror?.code]).toEqual(
          given ? [purpose, subset, 200, undefined] : [purpose, subset, 403, 'KeyOperationForbidden'],
        )
      }
    }
  })
})

async function requestsFor(
  key: TestKey,
): Promise<Record<Purpose, { operation: string; body: Record<string, string> }>> {
  const publicKey = createPublicKey({ key: key.publicKey ?? Buffer.alloc(0), format: 'der', type: 'spki' })
  const text = randomBytes(32)
  const digest = createHash('sha256').update(text).digest()
  const base64url = (bytes: Buffer) => bytes.toString('base64url')
  const sealed = base64url(
    publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, text),
  )
  const oaep = (operation: string, value: string) => ({ operation, body: { alg: 'RSA-OAEP-256', value } })
  return {
    encrypt: oaep('encrypt', base64url(text)),
    decrypt: oaep('decrypt', sealed),
    wrap: oaep('wrapkey', base64url(text)),
    unwrap: oaep('unwrapkey', sealed),
    sign: { operation: 'sign', body: { alg: 'RS256', value: base64url(digest) } },
    verify: {
      operation: 'verify',
      body: { alg: 'RS256', digest: base64url(digest), value: base64url(signDigest(key.privateKey, digest)) },
    },
  }
}

/** RSASSA-PKCS1-v1_5 with SHA-256 over a digest (RFC 8017, section 8.2), by the raw private operation. */
function signDigest(privateKey: KeyObject | undefined, digest: Buffer): Buffer {
  if (!privateKey) throw new Error('not an RSA key')
  const info = Buffer.concat([Buffer.from('3031300d060960864801650304020105000420', 'hex'), digest])
  return privateEncrypt({ key: privateKey, padding: constants.RSA_PKCS1_PADDING }, info)
}
