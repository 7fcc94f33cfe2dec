import { createPrivateKey } from 'node:crypto'
import { expect, test } from 'vitest'
import { decryptOaepSha1 } from '../../../src/emulator/azurekeyvault/oaep.ts'
import { readVectors } from './vectors.ts'

test('RSA-OAEP with SHA-1: every Wycheproof vector, and one with a label is refused like an invalid one', () => {
  const { testGroups } = readVectors('rsa_oaep_2048_sha1_mgf1sha1_test.json')
  const counts = { opened: 0, refused: 0 }
  for (const { privateKeyPkcs8, tests } of testGroups) {
    const key = createPrivateKey({ key: Buffer.from(privateKeyPkcs8, 'hex'), format: 'der', type: 'pkcs8' })
    for (const { tcId, msg, ct, label, result } of tests) {
      const expected = result === 'valid' && label === '' ? msg : undefined
      const opened = decryptOaepSha1(key, Buffer.from(ct, 'hex'))?.toString('hex')
      expect(opened, `vector ${tcId}`).toBe(expected)
      counts[expected === undefined ? 'refused' : 'opened']++
    }
  }
  expect(counts).toEqual({ opened: 10, refused: 26 })
})
