import { randomBytes, randomUUID } from 'node:crypto'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { startKeyVaultEmulator } from '../src/emulator/azurekeyvault/index.ts'
import { call, keyferry, serve } from '../test/commands/keyferry.ts'

/**
 * Makes the golden database of the newest migration, by the real program over its API, as a gateway would leave it: `npm run golden`. It is
 * kept for ever: test/golden/golden.test.ts opens every one of them with the program of the day. Made once for each migration that lands, and
 * never again once it was released.
 */
const root = resolve(import.meta.dirname, '..')
const folder = join(root, 'test/golden')

interface Journal {
  entries: { tag: string }[]
}
const journal = JSON.parse(readFileSync(join(root, 'migrations/meta/_journal.json'), 'utf8')) as Journal
const tag = journal.entries.at(-1)?.tag ?? ''

/** What the database holds, for the test to compare with. */
export interface Golden {
  /** Who the KMS's credentials are: the emulator of the test knows them. Worth nothing anywhere else. */
  principal: { tenantId: string; clientId: string; clientSecret: string }
  vault: string
  keys: Record<string, { type: string; latestVersion: number; publicKeys: Record<string, string | null> }>
  distributed: string[]
  namespaces: string[]
}

async function make(): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'keyferry-golden-'))
  const principal = {
    tenantId: randomUUID(),
    clientId: randomUUID(),
    clientSecret: randomBytes(24).toString('base64url'),
  }
  const vault = 'keyferry-golden'
  const emulator = await startKeyVaultEmulator({ vaults: [{ name: vault, kind: 'premium' }], principals: [principal] })
  try {
    const data = join(work, 'data')
    const config = join(work, 'keyferry.json')
    writeFileSync(join(work, 'ca.pem'), emulator.caCertificate)
    const address = `127.0.0.1:${emulator.port}`
    const cloud = {
      connectTo: address,
      authorityConnectTo: address,
      caFile: join(work, 'ca.pem'),
      instanceDiscovery: false,
    }
    writeFileSync(config, JSON.stringify({ azure: { clouds: { AzurePublicCloud: cloud } } }))
    const made = await keyferry(['init', '--data', data, '--format', 'json'])
    const token = (JSON.parse(made.stdout) as { root_token: string }).root_token
    const { gateway, url } = await serve(['--data', data, '--config', config])
    const golden = await live(url, token, { principal, vault })
    await gateway.stop()
    mkdirSync(folder, { recursive: true })
    copyFileSync(join(data, 'keyferry.db'), join(folder, `${tag}.db`))
    copyFileSync(join(data, 'root.key'), join(folder, `${tag}.key`))
    writeFileSync(join(folder, `${tag}.json`), `${formatted(golden)}\n`)
    console.log(`Made test/golden/${tag}.db, .key and .json`)
  } finally {
    await emulator.close()
    rmSync(work, { recursive: true, force: true })
  }
}

/** JSON as the formatter has it: short lists on one line. */
function formatted(golden: Golden): string {
  return JSON.stringify(golden, null, 2).replace(
    /\[\s+([^[\]{}]*?)\s+\]/g,
    (_, items: string) => `[${items.replace(/\s+/g, ' ')}]`,
  )
}

/** A life with something of everything. */
async function live(
  url: string,
  token: string,
  { principal, vault }: Pick<Golden, 'principal' | 'vault'>,
): Promise<Golden> {
  const api = async (method: string, path: string, body?: unknown) => {
    const answer = await call(url, token, method, path, body)
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body?.data ?? {}
  }
  const types = ['rsa-2048', 'rsa-3072', 'ecdsa-p256', 'ecdsa-p384', 'ecdsa-p521', 'aes256-gcm96']
  for (const type of types) await api('POST', `keymgmt/key/${type}`, { type })
  await api('POST', 'keymgmt/key/ecdsa-p256/rotate')
  await api('POST', 'keymgmt/key/rsa-2048/rotate')
  await api('POST', 'keymgmt/key/rsa-2048', { min_enabled_version: 2, deletion_allowed: true })
  const { tenantId: tenant_id, clientId: client_id, clientSecret: client_secret } = principal
  const credentials = { tenant_id, client_id, client_secret }
  await api('POST', 'keymgmt/kms/prod', { provider: 'azurekeyvault', key_collection: vault, credentials })
  const distributed = ['rsa-2048', 'ecdsa-p256']
  await api('POST', 'keymgmt/kms/prod/key/rsa-2048', { purpose: 'encrypt,decrypt', protection: 'hsm' })
  await api('POST', 'keymgmt/kms/prod/key/ecdsa-p256', { purpose: 'sign', protection: 'hsm' })
  await api('POST', 'keymgmt/kms/prod/key/rsa-3072', { purpose: 'sign', protection: 'hsm' })
  await api('DELETE', 'keymgmt/kms/prod/key/rsa-3072')
  await api('POST', 'sys/namespaces/team')
  await api('PUT', 'sys/policies/acl/readers', { policy: 'path "keymgmt/key/*" { capabilities = ["read"] }' })
  await api('POST', 'auth/token/create', { policies: ['readers'], ttl: '1h' })
  await api('POST', 'sys/auth/approle', { type: 'approle' })
  await api('POST', 'auth/approle/role/ci', { token_policies: ['readers'] })
  await api('POST', 'auth/approle/role/ci/secret-id')
  await api('POST', 'sys/quotas/rate-limit/all', { rate: 1000 })
  const keys: Golden['keys'] = {}
  for (const name of types) {
    const key = await api('GET', `keymgmt/key/${name}`)
    const versions = key.versions as Record<string, { public_key?: string }>
    const publicKeys = Object.entries(versions).map(([version, one]) => [version, one.public_key ?? null] as const)
    keys[name] = { type: name, latestVersion: Number(key.latest_version), publicKeys: Object.fromEntries(publicKeys) }
  }
  return { principal, vault, keys, distributed, namespaces: ['team'] }
}

if (import.meta.main) await make()
