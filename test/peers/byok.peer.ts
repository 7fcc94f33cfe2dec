import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Batch, type Item, makeBatch } from './batch.ts'

const here = fileURLToPath(new URL('.', import.meta.url))
const python = '/usr/bin/python3'
const softHsm = ['/usr/lib/softhsm/libsofthsm2.so', '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so'].find(existsSync)

/** Why a judge is not here; with CI=true a missing one is a failure, by hand a skip that says so. */
const missing = {
  openssl: runs('openssl', ['version']) ? undefined : 'openssl is not installed',
  pyca: runs(python, ['-c', 'import cryptography']) ? undefined : 'python3-cryptography is not installed',
  softhsm:
    softHsm && runs(python, ['-c', 'import PyKCS11, cryptography'])
      ? undefined
      : 'softhsm2 or python3-pykcs11 is not installed',
}
const absent = (reason: string | undefined) => reason !== undefined && process.env.CI !== 'true'

let batch: Batch
beforeAll(async () => {
  batch = await makeBatch()
})
afterAll(() => rmSync(batch.folder, { recursive: true, force: true }))

/** What a judge found, against what was wrapped: every key, and each the right one. */
function compare(found: ReadonlyMap<number, string>) {
  expect(found.size).toBe(batch.items.length)
  expect(batch.items.filter((item) => found.get(item.id) !== item.digest)).toEqual([])
}

function judged(script: string, ...more: string[]): Map<number, string> {
  const { status, stdout, stderr } = spawnSync(python, [join(here, script), batch.folder, ...more], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    env: { ...process.env, SOFTHSM2_CONF: join(batch.folder, 'softhsm2.conf') },
  })
  expect(stderr).toBe('')
  expect(status).toBe(0)
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Pick<Item, 'id' | 'digest'>)
  return new Map(lines.map((line) => [line.id, line.digest]))
}

describe('1,000 keys of every type, under key encryption keys of every size', () => {
  it('are 1,000, and no two alike', () => {
    expect(batch.items).toHaveLength(1000)
    expect(new Set(batch.items.map((item) => item.digest)).size).toBe(1000)
    expect(new Set(batch.items.map((item) => `${item.type} ${item.kek}`)).size).toBe(21)
  })

  it.skipIf(absent(missing.openssl))(`are unwrapped by the OpenSSL command line ${missing.openssl ?? ''}`, () => {
    expect(missing.openssl).toBeUndefined()
    const found = new Map<number, string>()
    for (const item of batch.items) found.set(item.id, openssl(batch.folder, item))
    compare(found)
  })

  it.skipIf(absent(missing.pyca))(`are unwrapped by pyca/cryptography ${missing.pyca ?? ''}`, () => {
    expect(missing.pyca).toBeUndefined()
    compare(judged('judge_pyca.py'))
  })

  it.skipIf(absent(missing.softhsm))(`are unwrapped by SoftHSM through PKCS#11 ${missing.softhsm ?? ''}`, () => {
    expect(missing.softhsm).toBeUndefined()
    const tokens = join(batch.folder, 'tokens')
    mkdirSync(tokens)
    writeFileSync(
      join(batch.folder, 'softhsm2.conf'),
      `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`,
    )
    execFileSync('softhsm2-util', ['--init-token', '--free', '--label', 'peers', '--pin', '1234', '--so-pin', '1234'], {
      env: { ...process.env, SOFTHSM2_CONF: join(batch.folder, 'softhsm2.conf') },
      stdio: 'pipe',
    })
    compare(judged('judge_softhsm.py', softHsm ?? ''))
  })
})

/** The way of an administrator by hand: OAEP with SHA-1 for the first part, AES key wrap with padding for the second, then a check. */
function openssl(folder: string, item: Item): string {
  const { ciphertext } = JSON.parse(item.package) as { ciphertext: string }
  const blob = Buffer.from(ciphertext, 'base64url')
  const size = Number(item.kek.slice('kek-'.length)) / 8
  const oaep = ['rsa_padding_mode:oaep', 'rsa_oaep_md:sha1', 'rsa_mgf1_md:sha1'].flatMap((option) => [
    '-pkeyopt',
    option,
  ])
  const kek = join(folder, `${item.kek}.pem`)
  const aes = execFileSync('openssl', ['pkeyutl', '-decrypt', '-inkey', kek, ...oaep], {
    input: blob.subarray(0, size),
  })
  const unwrap = ['enc', '-d', '-id-aes256-wrap-pad', '-K', aes.toString('hex'), '-iv', 'A65959A6']
  const target = execFileSync('openssl', unwrap, { input: blob.subarray(size) })
  const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
  if (item.type === 'aes256-gcm96') return sha256(target)
  execFileSync('openssl', ['pkey', '-inform', 'DER', '-check', '-noout'], { input: target, stdio: 'pipe' })
  return sha256(execFileSync('openssl', ['pkey', '-inform', 'DER', '-pubout', '-outform', 'DER'], { input: target }))
}

function runs(command: string, args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}
