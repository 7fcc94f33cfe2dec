import { constants, createDecipheriv, createPrivateKey, generateKeyPairSync, privateDecrypt } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { transferBlob } from '../../../src/providers/azurekeyvault/transfer-blob.ts'
import { testKey } from './harness.ts'

const kek = generateKeyPairSync('rsa', { modulusLength: 2048 })
const keyId = `https://prod-keys.vault.azure.net/keys/kek/${'a'.repeat(32)}`

describe('the key transfer package', () => {
  it.each([
    ['rsa-2048', 'pkcs8'],
    ['ecdsa-p521', 'pkcs8'],
    ['aes256-gcm96', 'raw'],
  ] as const)("holds a key of type %s as Azure's specification has it (%s)", (type, form) => {
    const { plaintext, privateKey } = testKey(type)
    const blob = transferBlob({ keyId, publicKey: kek.publicKey }, plaintext)
    const parsed = JSON.parse(blob.toString('utf8'))
    expect(parsed).toEqual({
      schema_version: '1.0.0',
      header: { kid: keyId, alg: 'dir', enc: 'CKM_RSA_AES_KEY_WRAP' },
      ciphertext: expect.stringMatching(/^[\w-]+$/),
      generator: 'Keyferry',
    })
    const ciphertext = Buffer.from(parsed.ciphertext, 'base64url')
    const aes = privateDecrypt(
      { key: kek.privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' },
      ciphertext.subarray(0, 256),
    )
    const decipher = createDecipheriv('id-aes256-wrap-pad', aes, Buffer.from('a65959a6', 'hex'))
    const target = Buffer.concat([decipher.update(ciphertext.subarray(256)), decipher.final()])
    expect(target).toEqual(plaintext)
    if (form === 'raw') return
    const opened = createPrivateKey({ key: target, format: 'der', type: 'pkcs8' })
    expect(privateKey && opened.equals(privateKey)).toBe(true)
  })
})
