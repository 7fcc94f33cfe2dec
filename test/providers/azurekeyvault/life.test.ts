import {
  constants,
  createDecipheriv,
  createHash,
  createPublicKey,
  publicEncrypt,
  randomBytes,
  verify,
} from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type KeyType, keyTypes } from '../../../src/core/keys/types.ts'
import type { Protection, Purpose } from '../../../src/core/kms/provider.ts'
import { type Bench, importRequest, startBench, type TestKey, testKey } from './harness.ts'
import { RawClient } from './raw-client.ts'

let bench: Bench
beforeAll(async () => {
  bench = await startBench()
})
afterAll(() => bench.emulator.close())

const every: Purpose[] = ['decrypt', 'encrypt', 'sign', 'unwrap', 'verify', 'wrap']
const signing: Purpose[] = ['sign', 'verify']
const rsa: KeyType[] = ['rsa-2048', 'rsa-3072', 'rsa-4096']
const ec: KeyType[] = ['ecdsa-p256', 'ecdsa-p384', 'ecdsa-p521']

const premium = 'prod-keys.vault.azure.net'
const standard = 'plain-keys.vault.azure.net'
const managedHsm = 'hard-keys.managedhsm.azure.net'

const cases: [KeyType, Protection, string][] = [
  ...[...rsa, ...ec].flatMap((type): [KeyType, Protection, string][] => [
    [type, 'hsm', premium],
    [type, 'software', premium],
    [type, 'software', standard],
    [type, 'hsm', managedHsm],
  ]),
  ['aes256-gcm96', 'hsm', managedHsm],
]

describe('the life of a key, with the genuine SDK', () => {
  it.each(cases)('%s, %s, in %s', async (type, protection, host) => {
    const family = keyTypes[type].family
    const purposes =
      family === 'ec' ? signing : family === 'aes' ? every.filter((one) => !signing.includes(one)) : every
    const connection = await bench.open({ ...bench.settings, keyCollection: host })
    const key = testKey(type)
    const request = importRequest({ material: key.material, protection, purposes, tags: { team: 'payments' } })
    const name = request.remoteName
    expect(await connection.describe(name)).toEqual({ state: 'absent' })

    const first = await connection.importVersion(request)
    expect(first).toMatchObject({ importId: request.importId, enabled: true, publicKey: key.publicKey, purposes })
    expect(first.remoteVersion).toMatch(/^[0-9a-f]{32}$/)
    await useKey(host, name, first.remoteVersion, key, type)

    const bundle = await raw(host).call('GET', `https://${host}/keys/${name}/${first.remoteVersion}`)
    expect(bundle.body.tags).toEqual({ key_name: name, keyferry_import_id: request.importId, team: 'payments' })
    const kty = { rsa: 'RSA', ec: 'EC', aes: 'oct' }[family]
    expect(bundle.body.key.kty).toBe(protection === 'hsm' ? `${kty}-HSM` : kty)

    const second = await connection.importVersion({ ...request, importId: 'second', enabled: false })
    expect(second).toMatchObject({ importId: 'second', enabled: false })
    const described = await connection.describe(name)
    expect(described).toMatchObject({ state: 'present', latest: second })
    const versions = described.state === 'present' ? described.versions : undefined
    expect(versions?.map(({ importId, enabled }) => [importId, enabled])).toEqual([
      [request.importId, true],
      ['second', false],
    ])

    await connection.setVersionEnabled(name, first.remoteVersion, false)
    await connection.setVersionEnabled(name, second.remoteVersion, true)
    expect(await connection.readVersion(name, first.remoteVersion)).toMatchObject({
      enabled: false,
      importId: request.importId,
    })
    expect(await connection.readVersion(name, second.remoteVersion)).toMatchObject({
      enabled: true,
      publicKey: key.publicKey,
    })
    expect(await connection.readVersion(name, '0'.repeat(32))).toBeUndefined()

    await connection.remove(name)
    await connection.remove(name)
    expect(await connection.describe(name)).toMatchObject({ state: 'deleted' })
    await expect(connection.importVersion(request)).rejects.toMatchObject({
      name: 'VaultError',
      kind: 'name_taken',
      effect: 'none',
      serviceCode: 'Conflict/ObjectIsDeletedButRecoverable',
    })
  })

  it('lends no plaintext that is left behind, and changes nothing of the lent key', async () => {
    const connection = await bench.open()
    const key = testKey('ecdsa-p256')
    const before = Buffer.from(key.plaintext)
    for (const protection of ['hsm', 'software'] as const) {
      await connection.importVersion(importRequest({ material: key.material, protection, purposes: signing }))
    }
    expect(key.plaintext).toEqual(before)
  })

  it('writes times as they were asked for', async () => {
    const connection = await bench.open()
    const notBefore = new Date('2026-01-02T03:04:05Z')
    const expires = new Date('2038-01-19T03:14:07Z')
    const request = importRequest({ notBefore, expires })
    const { remoteVersion } = await connection.importVersion(request)
    const bundle = await raw(premium).call('GET', `https://${premium}/keys/${request.remoteName}/${remoteVersion}`)
    expect(bundle.body.attributes).toMatchObject({ nbf: notBefore.getTime() / 1000, exp: 2 ** 31 - 1 })
  })

  it('refuses a time that the SDK would send negative, before it is sent', async () => {
    const connection = await bench.open()
    const seen = bench.emulator.requests.length
    const request = importRequest({ expires: new Date('2038-01-19T03:14:08Z') })
    await expect(connection.importVersion(request)).rejects.toMatchObject({
      kind: 'refused',
      effect: 'none',
      message:
        'expires is not a time that can be sent to Azure: allowed are 1970-01-01T00:00:00Z to 2038-01-19T03:14:07Z',
    })
    expect(bench.emulator.requests.length).toBe(seen)
  })

  it('lists more versions than a page holds, the latest last', async () => {
    const connection = await bench.open()
    const request = importRequest({ material: testKey('ecdsa-p256').material, purposes: signing })
    const imported: string[] = []
    for (let number = 0; number < 27; number++) {
      imported.push((await connection.importVersion({ ...request, importId: `id-${number}` })).remoteVersion)
    }
    const described = await connection.describe(request.remoteName)
    const versions = described.state === 'present' ? (described.versions ?? []) : []
    expect(versions.map((one) => one.remoteVersion).sort()).toEqual([...imported].sort())
    expect(versions.at(-1)?.remoteVersion).toBe(imported.at(-1))
    expect(new Set(versions.map((one) => one.importId)).size).toBe(27)
  })
})

const raws = new Map<string, RawClient>()

function raw(host: string): RawClient {
  const suffix = host.slice(host.indexOf('.') + 1)
  const client = raws.get(suffix) ?? new RawClient(bench.emulator, suffix)
  raws.set(suffix, client)
  return client
}

/** Uses the key that arrived, against the key that was sent. */
async function useKey(host: string, name: string, version: string, key: TestKey, type: KeyType): Promise<void> {
  const id = `https://${host}/keys/${name}/${version}`
  const text = randomBytes(32)
  const spec = keyTypes[type]
  if (spec.family === 'aes') {
    const sealed = await raw(host).use(id, 'encrypt', { alg: 'A256GCM', value: text.toString('base64url') })
    expect(sealed.status).toBe(200)
    const decipher = createDecipheriv('aes-256-gcm', key.plaintext, Buffer.from(sealed.body.iv, 'base64url'))
    decipher.setAuthTag(Buffer.from(sealed.body.tag, 'base64url'))
    expect(Buffer.concat([decipher.update(Buffer.from(sealed.body.value, 'base64url')), decipher.final()])).toEqual(
      text,
    )
    return
  }
  const publicKey = createPublicKey({ key: key.publicKey ?? Buffer.alloc(0), format: 'der', type: 'spki' })
  if (spec.family === 'ec') {
    const bits = { 'P-256': '256', 'P-384': '384', 'P-521': '512' }[spec.curve]
    const digest = createHash(`sha${bits}`).update(text).digest()
    const signed = await raw(host).use(id, 'sign', { alg: `ES${bits}`, value: digest.toString('base64url') })
    expect(signed.status).toBe(200)
    const signature = Buffer.from(signed.body.value, 'base64url')
    expect(verify(`sha${bits}`, text, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true)
    return
  }
  const sealed = publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, text)
  const opened = await raw(host).use(id, 'decrypt', { alg: 'RSA-OAEP-256', value: sealed.toString('base64url') })
  expect(Buffer.from(opened.body.value, 'base64url')).toEqual(text)
}
