import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KeyferryError } from '../../../src/core/errors.ts'
import { type KeyType, keyTypeNames } from '../../../src/core/keys/types.ts'
import { checkPurposes } from '../../../src/core/kms/matrix.ts'
import { type PurposeMatrix, protections, purposes } from '../../../src/core/kms/provider.ts'

const matrix: PurposeMatrix = {
  'rsa-2048': {
    hsm: {
      purposes,
      forbidden: [
        ['encrypt', 'sign'],
        ['wrap', 'verify', 'decrypt'],
      ],
    },
    software: { purposes: ['sign', 'verify'] },
  },
  'ecdsa-p256': { hsm: { purposes: ['sign'] } },
}
const provider = { name: 'cloud', matrix }

function refusal(type: KeyType, protection: string, wanted: string[]): string {
  try {
    checkPurposes(provider, type, protection, wanted)
  } catch (error) {
    expect(error).toBeInstanceOf(KeyferryError)
    expect((error as KeyferryError).code).toBe('invalid')
    return (error as Error).message
  }
  throw new Error('was allowed')
}

describe('purposes', () => {
  it('come back without repeats, sorted as Vault shows them', () => {
    expect(checkPurposes(provider, 'rsa-2048', 'hsm', ['verify', 'sign', 'verify'])).toEqual({
      protection: 'hsm',
      purposes: ['sign', 'verify'],
    })
  })

  it.each<[string, KeyType, string, string[], string]>([
    ['protection', 'rsa-2048', 'HSM', ['sign'], 'unsupported protection "HSM": allowed are hsm or software'],
    [
      'no purpose',
      'rsa-2048',
      'hsm',
      [],
      'missing purpose: name at least one of encrypt, decrypt, sign, verify, wrap or unwrap',
    ],
    [
      'purpose',
      'rsa-2048',
      'hsm',
      ['sign', 'fly\n'],
      'unsupported purpose "fly?": allowed are encrypt, decrypt, sign, verify, wrap or unwrap',
    ],
    [
      'type',
      'aes256-gcm96',
      'hsm',
      ['encrypt'],
      'a key of type aes256-gcm96 cannot be distributed to cloud: allowed types are rsa-2048 or ecdsa-p256',
    ],
    [
      'protection of the type',
      'ecdsa-p256',
      'software',
      ['sign'],
      'a key of type ecdsa-p256 cannot have protection software in cloud: allowed is hsm',
    ],
    [
      'purpose of the type',
      'ecdsa-p256',
      'hsm',
      ['sign', 'verify'],
      'purpose "verify" is not possible for a key of type ecdsa-p256 with protection hsm in cloud: allowed are sign',
    ],
    [
      'pair',
      'rsa-2048',
      'hsm',
      ['encrypt', 'decrypt', 'sign'],
      'the purposes encrypt and sign cannot be combined for a key of type rsa-2048 in cloud',
    ],
    [
      'three',
      'rsa-2048',
      'hsm',
      ['decrypt', 'verify', 'wrap'],
      'the purposes wrap and verify and decrypt cannot be combined for a key of type rsa-2048 in cloud',
    ],
  ])('refused for its %s', (_what, type, protection, wanted, message) => {
    expect(refusal(type, protection, wanted)).toBe(message)
  })

  it('are given exactly when the matrix says so, whatever is asked', () => {
    const wanted = fc.uniqueArray(fc.constantFrom(...purposes), { minLength: 1 })
    fc.assert(
      fc.property(
        fc.constantFrom(...keyTypeNames),
        fc.constantFrom(...protections),
        wanted,
        (type, protection, asked) => {
          const cell = matrix[type]?.[protection]
          const allowed =
            cell !== undefined &&
            asked.every((one) => cell.purposes.includes(one)) &&
            !cell.forbidden?.some((set) => set.every((one) => asked.includes(one)))
          if (allowed) expect(checkPurposes(provider, type, protection, asked).purposes).toEqual([...asked].sort())
          else expect(() => checkPurposes(provider, type, protection, asked)).toThrow(KeyferryError)
        },
      ),
    )
  })
})
