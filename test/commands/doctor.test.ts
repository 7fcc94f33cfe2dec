import { chmodSync, copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startDevEmulator, throughEmulator } from '../../src/commands/dev-emulator.ts'
import { newDevPrincipal, premiumVault } from '../../src/commands/dev-principal.ts'
import { formatRootKey, newRootKey } from '../../src/core/seal/root-key.ts'
import type { KeyVaultEmulator } from '../../src/emulator/azurekeyvault/index.ts'
import { call, type Keyferry, keyferry, serve, temporaryFolders } from './keyferry.ts'

const folders = temporaryFolders()
const principal = newDevPrincipal()
let emulator: KeyVaultEmulator
let gateway: Keyferry
let env: Record<string, string>
let data: string

async function init(): Promise<{ data: string; token: string }> {
  const folder = join(folders.make(), 'data')
  const { stdout } = await keyferry(['init', '--data', folder, '--format', 'json'])
  return { data: folder, token: JSON.parse(stdout).root_token }
}

beforeAll(async () => {
  emulator = await startDevEmulator(principal)
  const folder = folders.make()
  writeFileSync(join(folder, 'ca.pem'), emulator.caCertificate)
  const clouds = Object.fromEntries(
    Object.entries(throughEmulator(emulator).clouds ?? {}).map(([name, { ca: _, ...cloud }]) => [
      name,
      { ...cloud, caFile: join(folder, 'ca.pem') },
    ]),
  )
  const config = join(folder, 'keyferry.json')
  writeFileSync(config, JSON.stringify({ azure: { clouds } }))
  const made = await init()
  data = made.data
  const started = await serve(['--data', data, '--config', config])
  gateway = started.gateway
  env = { VAULT_ADDR: started.url, VAULT_TOKEN: made.token }
  const credentials = {
    tenant_id: principal.tenantId,
    client_id: principal.clientId,
    client_secret: principal.clientSecret,
  }
  for (const [name, secret] of [
    ['prod', {}],
    ['wrong', { client_secret: 'not-the-secret' }],
  ] as const) {
    const body = { provider: 'azurekeyvault', key_collection: premiumVault, credentials: { ...credentials, ...secret } }
    expect((await call(started.url, made.token, 'POST', `keymgmt/kms/${name}`, body)).status).toBe(204)
  }
})

afterAll(async () => {
  await gateway?.stop()
  await emulator.close()
  folders.removeAll()
})

describe('doctor --kms', () => {
  test('prints a table, and ends with 0 where all is well', async () => {
    const { code, stdout, stderr } = await keyferry(['doctor', '--kms', 'prod'], { env })
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^OK {7}token {14}a token for https:\/\/vault\.azure\.net was given, good for \d+ s$/m)
    expect(stdout).toMatch(/^OK {7}permission_import {2}the permission "import" on keys/m)
  })

  test('ends with 20 where there is an error, and says what to do', async () => {
    const { code, stdout } = await keyferry(['doctor', '--kms', 'wrong'], { env })
    expect(code).toBe(20)
    expect(stdout).toMatch(
      /^ERROR {4}token {9}no token for client_id .*client_secret is wrong.*\n {23}-> write credentials/m,
    )
  })

  test('gives JSON with the worst level, as the path of the API does', async () => {
    const { code, stdout } = await keyferry(['doctor', '--kms', 'prod', '--format', 'json'], { env })
    const told = JSON.parse(stdout)
    const { body } = await call(env.VAULT_ADDR ?? '', env.VAULT_TOKEN ?? '', 'GET', 'keymgmt/kms/prod/diagnose')
    expect([code, told.level, body?.data?.level]).toEqual([0, 'info', 'info'])
    const codes = (findings: { code: string }[]) => findings.map((finding) => finding.code)
    expect(codes(told.findings)).toEqual(codes(body?.data?.findings as { code: string }[]))
  })

  test('works for a KMS that then gets a key, and its key encryption key rotated, over HTTP', async () => {
    const send = (method: string, path: string, body?: object) =>
      call(env.VAULT_ADDR ?? '', env.VAULT_TOKEN ?? '', method, `keymgmt/${path}`, body)
    await send('POST', 'key/orders', { type: 'ecdsa-p256' })
    expect((await send('POST', 'kms/prod/key/orders', { purpose: 'sign' })).status).toBe(204)
    const before = (await send('GET', 'kms/prod')).body?.data
    const rotated = await send('POST', 'kms/prod/kek/rotate')
    expect([rotated.status, rotated.body?.data?.former_kek_id, rotated.body?.data?.kek_attestation]).toEqual([
      200,
      before?.kek_id,
      null,
    ])
    expect((await send('GET', 'kms/prod')).body?.data?.kek_id).toBe(rotated.body?.data?.kek_id)
    const again = await send('POST', 'kms/prod/kek/rotate')
    expect([again.status, again.body?.errors?.[0]]).toEqual([400, expect.stringContaining('wait until that is 60 s')])
    const { stdout } = await keyferry(['doctor', '--kms', 'prod'], { env })
    expect(stdout).toContain(`the key encryption key ${rotated.body?.data?.kek_id} is there and as it was pinned`)
  })

  test.each<[string, string[], Record<string, string | undefined>, number, RegExp]>([
    ['a KMS that is not there', ['--kms', 'nothing'], {}, 78, /there is no KMS "nothing" at keymgmt\/ of http/],
    ['a mount that is not there', ['--kms', 'prod', '--mount', 'other'], {}, 78, /keyferry: .*other/],
    [
      'no token',
      ['--kms', 'prod'],
      { VAULT_TOKEN: '' },
      78,
      /there is no token: run "keyferry login", or set VAULT_TOKEN/,
    ],
    ['a token that is none', ['--kms', 'prod'], { VAULT_TOKEN: 'x' }, 78, /refused \(403\): permission denied/],
    [
      'an address that is none',
      ['--kms', 'prod'],
      { VAULT_ADDR: 'ftp://x' },
      78,
      /VAULT_ADDR "ftp:\/\/x" is not allowed/,
    ],
    [
      'a gateway that does not answer',
      ['--kms', 'prod'],
      { VAULT_ADDR: 'http://127.0.0.1:1' },
      69,
      /nothing listens at/,
    ],
    [
      'a CA file that is not there',
      ['--kms', 'prod'],
      { VAULT_CACERT: '/nowhere/ca.pem' },
      78,
      /the CA file \/nowhere\/ca\.pem \(--ca-cert, VAULT_CACERT\) cannot be read/,
    ],
    ['neither', [], {}, 64, /one of --kms NAME and --data DIR is needed/],
    ['both', ['--kms', 'prod', '--data', 'x'], {}, 64, /one of --kms NAME and --data DIR is needed/],
    ['an unknown format', ['--kms', 'prod', '--format', 'xml'], {}, 64, /--format xml is not known/],
  ])('%s is one sentence', async (_what, args, more, exit, sentence) => {
    const { code, stdout, stderr } = await keyferry(['doctor', ...args], {
      env: { ...env, ...(more as Record<string, string>) },
    })
    expect([code, stdout]).toEqual([exit, ''])
    expect(stderr).toMatch(sentence)
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  })
})

describe('doctor --data', () => {
  const diagnose = async (folder: string, ...more: string[]) => {
    const { code, stdout, stderr } = await keyferry(['doctor', '--data', folder, '--format', 'json', ...more])
    expect(stderr).toBe('')
    const { findings } = JSON.parse(stdout) as { findings: { level: string; code: string; message: string }[] }
    return { code, levels: Object.fromEntries(findings.map((one) => [one.code, one.level])), findings }
  }
  const well = { folder: 'ok', disk: 'ok', root_key: 'ok', database: 'ok', schema: 'ok', seal: 'ok' }
  const sealed = async () => {
    const made = await init()
    return { folder: made.data, file: join(made.data, 'keyferry.db'), key: join(made.data, 'root.key') }
  }

  test('finds a fresh folder well, and one that a gateway is using', async () => {
    for (const folder of [(await sealed()).folder, data]) {
      expect(await diagnose(folder)).toMatchObject({ code: 0, levels: { ...well, disk: expect.any(String) } })
    }
    const { stdout } = await keyferry(['doctor', '--data', data])
    expect(stdout).toMatch(/^OK {7}seal {6}the root key opens the keys of 1 namespace$/m)
  })

  test('changes nothing', async () => {
    const { folder, file } = await sealed()
    const before = readFileSync(file)
    await diagnose(folder)
    expect(readFileSync(file).equals(before)).toBe(true)
  })

  test('says when others may look in, and when they may write', async () => {
    const { folder } = await sealed()
    chmodSync(folder, 0o755)
    expect(await diagnose(folder)).toMatchObject({ code: 10, levels: { folder: 'warning' } })
    chmodSync(folder, 0o777)
    expect(await diagnose(folder)).toMatchObject({ code: 20, levels: { folder: 'error' } })
  })

  test('says when the root key is missing, too open, or of another database', async () => {
    const { folder, key } = await sealed()
    chmodSync(key, 0o644)
    expect(await diagnose(folder)).toMatchObject({ code: 20, levels: { root_key: 'error', database: 'ok' } })
    writeFileSync(key, formatRootKey(newRootKey()))
    chmodSync(key, 0o600)
    const other = await diagnose(folder)
    expect(other).toMatchObject({ code: 20, levels: { ...well, disk: expect.any(String), seal: 'error' } })
    expect(other.findings.find(({ code }) => code === 'seal')?.message).toContain(
      'the root key is not the one of this database',
    )
    rmSync(key)
    expect((await diagnose(folder)).levels).toMatchObject({ root_key: 'error' })
  })

  test('takes a root key from elsewhere', async () => {
    const { folder, key } = await sealed()
    const elsewhere = join(folders.make(), 'elsewhere.key')
    copyFileSync(key, elsewhere)
    chmodSync(elsewhere, 0o600)
    rmSync(key)
    expect(await diagnose(folder, '--root-key-file', elsewhere)).toMatchObject({ code: 0 })
  })

  test('says when a data key does not open, the schema is another, or the file is no database', async () => {
    const changed = async (sql: string) => {
      const { folder, file } = await sealed()
      const database = new Sqlite(file)
      database.exec(sql)
      database.close()
      return await diagnose(folder)
    }
    expect((await changed('UPDATE data_keys SET box = zeroblob(length(box))')).levels).toMatchObject({ seal: 'error' })
    expect((await changed('UPDATE __drizzle_migrations SET created_at = created_at + 1')).levels).toMatchObject({
      schema: 'error',
    })
    expect((await changed('UPDATE __drizzle_migrations SET created_at = 1')).levels).toMatchObject({ schema: 'info' })
    expect((await changed("UPDATE data_keys SET root_id = 'another'")).levels).toMatchObject({ seal: 'warning' })
    const { folder, file } = await sealed()
    writeFileSync(file, 'this is no database, and never was one '.repeat(200))
    expect(await diagnose(folder)).toMatchObject({ code: 20, levels: { database: 'error' } })
  })

  test('says what is no data folder', async () => {
    const found = await diagnose(folders.make())
    expect(found).toMatchObject({ code: 20, levels: { folder: 'error' } })
    expect(found.findings).toHaveLength(1)
  })
})
