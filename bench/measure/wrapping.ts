import {
  constants,
  createCipheriv,
  createPublicKey,
  generateKeyPairSync,
  publicEncrypt,
  randomBytes,
} from 'node:crypto'
import { newDataKey } from '../../src/core/seal/keyring.ts'
import { newRootKey } from '../../src/core/seal/root-key.ts'
import { transferBlob } from '../../src/providers/azurekeyvault/transfer-blob.ts'
import type { Measurement } from '../measurement.ts'
import { median } from '../support/figure.ts'

/**
 * All that is done for one version before it is sent (opening what is sealed, wrapping, the JSON of the transfer blob), beside the two
 * operations of OpenSSL in it. In this process, by CPU time, taking turns.
 */
export const wrapping: Measurement = {
  name: 'wrap',
  run: async ({ quick }) => {
    const kek = createPublicKey(generateKeyPairSync('rsa', { modulusLength: 4096 }).privateKey)
    const target = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
      type: 'pkcs8',
      format: 'der',
    })
    const { sealer } = newDataKey(newRootKey(), 'a', 0)
    const binding = { objectId: 'b', version: 1, kind: 'key-material' } as const
    const box = sealer.seal(binding, target)
    const wrap = () => {
      const opened = sealer.open(binding, box)
      transferBlob(
        { keyId: 'https://bench.vault.azure.net/keys/kek/0123456789abcdef0123456789abcdef', publicKey: kek },
        opened,
      )
      opened.fill(0)
    }
    const key = randomBytes(32)
    const initialValue = Buffer.from('a65959a6', 'hex')
    const bare = () => {
      publicEncrypt({ key: kek, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' }, key)
      const cipher = createCipheriv('id-aes256-wrap-pad', key, initialValue)
      cipher.update(target)
      cipher.final()
    }
    const batch = 1_000
    const turns = Array.from({ length: quick ? 5 : 15 }, () => ({ ours: cpuOf(wrap, batch), bare: cpuOf(bare, batch) }))
    // The first turn warms up.
    const ours = median(turns.slice(1).map((turn) => turn.ours))
    const theirs = median(turns.slice(1).map((turn) => turn.bare))
    const note = `${ours.toFixed(3)} and ${theirs.toFixed(3)} ms of CPU`
    return [
      { what: 'wrap an rsa-2048 beside OpenSSL alone', value: ours / theirs, unit: '×', bar: { atMost: 2 }, note },
    ]
  },
}

/** ms a call. */
function cpuOf(work: () => void, times: number): number {
  const begun = process.cpuUsage()
  for (let i = 0; i < times; i++) work()
  const { user, system } = process.cpuUsage(begun)
  return (user + system) / 1000 / times
}
