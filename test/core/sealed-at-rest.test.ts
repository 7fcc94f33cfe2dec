import { createPrivateKey } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type BetterSqlite3 from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type KeyType, keyTypeNames } from '../../src/core/keys/types.ts'
import { Keyring } from '../../src/core/seal/keyring.ts'
import { formatRootKey, type RootKey } from '../../src/core/seal/root-key.ts'
import type { Store } from '../../src/core/store.ts'
import { type TestCore, testCore } from '../support/gateway.ts'
import { MemoryCloud, memoryProvider } from '../support/memory-provider.ts'

const Sqlite = createRequire(import.meta.url)('better-sqlite3') as typeof BetterSqlite3

let folder: string
let gateway: TestCore
/** What must nowhere be: by name, as bytes. */
const secrets = new Map<string, Buffer>()
/** What really is on the disk, taken while everything is at work. */
const files = new Map<string, Buffer>()

/** Remembers a private key, and each of its numbers by itself: somebody may have taken it apart. */
function remember(name: string, material: Buffer): void {
  secrets.set(name, material)
  if (material.length === 32) return
  const jwk = createPrivateKey({ key: material, format: 'der', type: 'pkcs8' }).export({ format: 'jwk' })
  for (const part of ['d', 'p', 'q', 'dp', 'dq', 'qi'] as const) {
    const number = jwk[part]
    if (number !== undefined) secrets.set(`${name}, ${part}`, Buffer.from(number, 'base64url'))
  }
}

/** The forms in which somebody may have written a secret down, whole or in part. */
function formsOf(secret: Buffer): Buffer[] {
  const inside = secret.subarray(0, secret.length - (secret.length % 3))
  return [
    secret,
    Buffer.from(secret.toString('hex')),
    Buffer.from(secret.toString('hex').toUpperCase()),
    Buffer.from(inside.toString('base64').replace(/=+$/, '')),
    Buffer.from(inside.toString('base64url')),
    Buffer.from(JSON.stringify([...secret])),
  ]
}

async function plaintextOf(rootKey: RootKey, store: Store): Promise<void> {
  const keyring = new Keyring({ ...rootKey, key: Buffer.from(rootKey.key) }, store.namespaces)
  const sealer = await keyring.forNamespace('root')
  for (const name of await store.keys.names(gateway.scope.mountId)) {
    const key = await store.keys.find(gateway.scope.mountId, name)
    for (const { version } of await store.keys.versions(key?.id ?? '', 1)) {
      const stored = await store.keys.version(key?.id ?? '', version)
      if (!key || !stored) throw new Error('a key is gone')
      remember(`${name} ${version}`, sealer.open({ objectId: key.id, version, kind: 'key-material' }, stored.box))
    }
  }
  for (const { kid, box } of await store.tokens.signingKeys())
    remember('the token signing key', sealer.open({ objectId: kid, version: 0, kind: 'token-signing-key' }, box))
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'keyferry-'))
  const file = join(folder, 'keyferry.db')
  const cloud = new MemoryCloud()
  let sent = 0
  const provider = memoryProvider(new Map([['one', cloud]]), {
    seePlaintext: (material) => remember(`sent ${sent++}`, material),
  })
  gateway = await testCore({ file, providers: [provider] })
  const { core, store, scope, waiting, rootKey, rootToken } = gateway

  const canary = (name: string) => {
    const value = `canary-${name}-${'0123456789abcdef'.repeat(2)}`
    secrets.set(name, Buffer.from(value))
    return value
  }
  secrets.set('the root key', rootKey.key)
  secrets.set('the root key as it is kept', Buffer.from(formatRootKey(rootKey).trim()))
  const keepToken = (name: string, token: string) => {
    secrets.set(name, Buffer.from(token))
    secrets.set(`the signature of ${name}`, Buffer.from(token.split('.').at(-1) ?? ''))
  }
  keepToken('the root token', rootToken)

  for (const type of keyTypeNames) await core.keys.write(scope, type, { type }, waiting)
  for (const type of ['rsa-2048', 'ecdsa-p256', 'aes256-gcm96'] satisfies KeyType[])
    await core.keys.rotate(scope, type, waiting)
  const settings = { provider: 'memory', keyCollection: 'one' }
  await core.kms.write(scope, 'prod', {
    ...settings,
    credentials: { client_secret: canary('first-credential'), [canary('credential-name')]: 'x' },
  })
  await core.kms.write(scope, 'prod', { credentials: { client_secret: canary('second-credential') } })
  const distribute = (key: string, purpose: string[], protection = 'hsm') =>
    core.distribution.distribute(scope, 'prod', key, { purpose, protection }, waiting)
  await distribute('rsa-2048', ['encrypt', 'decrypt'], 'software')
  await distribute('ecdsa-p256', ['sign'])
  await core.keys.rotate(scope, 'ecdsa-p256', waiting)
  await core.keys.write(scope, 'rsa-2048', { minEnabledVersion: 2 }, waiting)
  // A removal that goes on by itself keeps settings of its own.
  cloud.disturb = () => ({ error: new TypeError(canary('an-error-of-a-library')) })
  await core.distribution.remove(scope, 'prod', 'rsa-2048', { deadline: 0 })
  await core.keys.write(scope, 'gone', { type: 'ecdsa-p256', deletionAllowed: true }, waiting)
  await plaintextOf(rootKey, store)
  await core.keys.delete(scope, 'gone')

  const caller = await core.authenticator.authenticate(rootToken)
  const made = await core.tokens.create(
    caller,
    { id: 'root' },
    { policies: ['reader'] },
    { sudo: true, path: 'auth/token/create' },
  )
  keepToken('a child token', made.token)
  await core.authenticator.authenticate(made.token)
  const root = await core.namespace('')
  if (root) await core.tokens.useOpaqueRoot(canary('opaque-root-token'), root)

  const other = new Sqlite(file)
  const backup = join(folder, 'backup.db')
  await other.backup(backup)
  other.close()
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const name = entry.name.endsWith('.lock') ? 'lock of the process' : entry.name
    if (entry.isFile()) files.set(name, readFileSync(join(entry.parentPath, entry.name)))
  }
  // Once more when all is written back and the file is closed.
  await gateway.close()
  files.set('keyferry.db, closed', readFileSync(file))
})
afterAll(() => rmSync(folder, { recursive: true }))

describe('after a full life', () => {
  it('there is something to be found: secrets, files, and what is no secret in them', () => {
    const names = [...secrets.keys()]
    for (const type of keyTypeNames) expect(names).toContain(`${type} 1`)
    expect(names).toEqual(
      expect.arrayContaining([
        'sent 0',
        'sent 3',
        'rsa-4096 1, p',
        'the token signing key, d',
        'first-credential',
        'a child token',
        'gone 1',
      ]),
    )
    for (const secret of secrets.values()) expect(secret.length).toBeGreaterThanOrEqual(32)
    expect([...files.keys()].sort()).toEqual([
      'backup.db',
      'keyferry.db',
      'keyferry.db, closed',
      'keyferry.db-shm',
      'keyferry.db-wal',
      'lock of the process',
    ])
    expect(files.get('keyferry.db-wal')?.length).toBeGreaterThan(10_000)
    for (const name of ['backup.db', 'keyferry.db, closed']) {
      expect(files.get(name)?.includes('ecdsa-p521')).toBe(true)
      expect(files.get(name)?.includes('-----BEGIN PUBLIC KEY-----')).toBe(true)
    }
  })

  it('no private key, credential, token or root key is in the database, its log or a backup, in any form', () => {
    const found: string[] = []
    for (const [where, bytes] of files) {
      for (const [name, secret] of secrets) {
        formsOf(secret).forEach((form, index) => {
          if (bytes.includes(form)) found.push(`${name} in ${where} (form ${index})`)
        })
      }
    }
    expect(found).toEqual([])
  })

  it('the search finds what it looks for', () => {
    const secret = [...secrets.values()][0] ?? Buffer.alloc(32)
    for (const form of formsOf(secret)) {
      const bytes = Buffer.concat([files.get('backup.db') ?? Buffer.alloc(0), form, Buffer.alloc(100)])
      expect(bytes.includes(form)).toBe(true)
    }
    expect(formsOf(Buffer.alloc(32, 1)).map((form) => form.length)).toEqual([32, 64, 64, 40, 40, 65])
  })
})
