/**
 * The whole of Keyferry from outside, over plain HTTP, on whatever runs it: sources on Node or Deno, the single binary, the npm package.
 * Only what Node and Deno both have, so that each can be on either side:
 *
 *     node test/smoke/end-to-end.ts COMMAND [ARGS]     a gateway, when "dev" and its flags are added
 *     deno task test:smoke                             the sources on Deno, and this on Deno too
 */
import { deepStrictEqual, match, ok } from 'node:assert/strict'
import { constants, publicEncrypt, randomBytes } from 'node:crypto'
import process from 'node:process'
import { onDeno, repository } from './commands.ts'
import { connectToEmulator } from './emulator-client.ts'
import { type StartOptions, startGateway } from './started-gateway.ts'

interface Answer {
  status: number
  body: {
    data?: Record<string, unknown>
    errors?: string[]
    warnings?: string[] | null
    auth?: Record<string, unknown>
  }
}

type Send = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>

/** Runs all of it on a gateway of its own. Throws at the first thing that is not as it must be; gives how many answers were looked at. */
export async function endToEnd(command: readonly string[], options: StartOptions = {}): Promise<number> {
  const gateway = await startGateway(command, options)
  let answers = 0
  const send: Send = async (method, path, body, headers = { 'X-Vault-Token': gateway.env.VAULT_TOKEN ?? '' }) => {
    const response = await fetch(`${gateway.env.VAULT_ADDR}/v1/${path}`, {
      method,
      headers,
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    answers++
    return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Answer['body']) }
  }
  try {
    await whoAnswers(send)
    await keysOfAllTypes(send)
    await clouds(send, gateway.env)
    await copies(send, gateway.env)
    await tokens(send)
    await mounts(send)
    await badInput(send)
  } catch (error) {
    await gateway.stop()
    throw new Error(`${command.join(' ')}: ${(error as Error).message}\n${gateway.said()}`, { cause: error })
  }
  deepStrictEqual(await gateway.stop(), { code: 0, signal: null })
  return answers
}

const done = { status: 204, body: {} }
const keyTypes = ['aes256-gcm96', 'ecdsa-p256', 'ecdsa-p384', 'ecdsa-p521', 'rsa-2048', 'rsa-3072', 'rsa-4096']

async function whoAnswers(send: Send): Promise<void> {
  const health = await send('GET', 'sys/health', undefined, {})
  deepStrictEqual([health.status, (health.body as { sealed?: boolean }).sealed], [200, false])
  deepStrictEqual((await send('GET', 'auth/token/lookup-self')).status, 200)
  const stranger = await send('GET', 'keymgmt/key/any', undefined, { 'X-Vault-Token': 'stranger' })
  deepStrictEqual([stranger.status, Array.isArray(stranger.body.errors)], [403, true])
}

async function keysOfAllTypes(send: Send): Promise<void> {
  for (const type of keyTypes) deepStrictEqual(await send('POST', `keymgmt/key/${type}`, { type }), done)
  deepStrictEqual((await send('LIST', 'keymgmt/key')).body.data, { keys: keyTypes })
  deepStrictEqual((await send('GET', 'keymgmt/key?list=true')).body.data, { keys: keyTypes })
  for (const type of keyTypes) {
    const { data } = (await send('GET', `keymgmt/key/${type}`)).body
    deepStrictEqual([data?.type, data?.latest_version], [type, 1])
  }
}

async function clouds(send: Send, env: Readonly<Record<string, string>>): Promise<void> {
  const credentials = {
    tenant_id: env.AZURE_TENANT_ID,
    client_id: env.AZURE_CLIENT_ID,
    client_secret: env.AZURE_CLIENT_SECRET,
  }
  for (const [name, vault] of [
    ['hsm', env.KEY_VAULT_NAME],
    ['soft', env.KEY_VAULT_STANDARD_NAME],
  ]) {
    const kms = { provider: 'azurekeyvault', key_collection: vault, credentials }
    deepStrictEqual(await send('POST', `keymgmt/kms/${name}`, kms), done)
    const shown = await send('GET', `keymgmt/kms/${name}`)
    deepStrictEqual([shown.status, shown.body.data?.key_collection], [200, vault])
    ok(!JSON.stringify(shown.body).includes(env.AZURE_CLIENT_SECRET ?? '?'), 'a secret is shown')
  }
  deepStrictEqual((await send('LIST', 'keymgmt/kms')).body.data, { keys: ['hsm', 'soft'] })
}

interface Copy {
  name: string
  versions: Record<string, string>
}

/** Distribute, use there, rotate, disable, remove. */
async function copies(send: Send, env: Readonly<Record<string, string>>): Promise<void> {
  const [vault, plain] = await Promise.all(
    [env.KEY_VAULT_NAME, env.KEY_VAULT_STANDARD_NAME].map((name = '') => connectToEmulator(env, name)),
  )
  ok(vault && plain)
  const copyOf = async (path: string) => (await send('GET', path)).body.data as unknown as Copy
  const readKey = async (name: string) => (await send('GET', `keymgmt/key/${name}`)).body.data
  const encrypt = async (version: string, message: Buffer) => {
    const versions = (await readKey('rsa-2048'))?.versions as Record<string, { public_key: string }>
    const key = versions[version]?.public_key ?? ''
    return publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, message)
  }
  const path = 'keymgmt/kms/hsm/key/rsa-2048'
  deepStrictEqual(await send('POST', path, { purpose: 'encrypt,decrypt', protection: 'hsm' }), done)
  const message = randomBytes(32)
  const first = await encrypt('1', message)
  const { name, versions } = await copyOf(path)
  deepStrictEqual((await vault.read(`/keys/${name}`)).key?.kty, 'RSA-HSM')
  deepStrictEqual(await vault.decrypt(name, versions['1'] ?? '', first), message)

  deepStrictEqual(await send('POST', 'keymgmt/key/rsa-2048/rotate'), done)
  const rotated = (await copyOf(path)).versions
  deepStrictEqual(Object.keys(rotated), ['1', '2'])
  deepStrictEqual(await vault.decrypt(name, rotated['2'] ?? '', await encrypt('2', message)), message)
  deepStrictEqual(await vault.decrypt(name, rotated['1'] ?? '', first), message)

  deepStrictEqual(await send('POST', 'keymgmt/key/rsa-2048', { min_enabled_version: 2 }), done)
  deepStrictEqual((await vault.read(`/keys/${name}/${rotated['1']}`)).attributes?.enabled, false)
  deepStrictEqual((await vault.read(`/keys/${name}/${rotated['2']}`)).attributes?.enabled, true)

  const soft = 'keymgmt/kms/soft/key/ecdsa-p256'
  deepStrictEqual(await send('POST', soft, { purpose: 'sign,verify', protection: 'software' }), done)
  const copied = await copyOf(soft)
  deepStrictEqual((await plain.read(`/keys/${copied.name}`)).key?.kty, 'EC')

  deepStrictEqual(await send('DELETE', path), done)
  deepStrictEqual(await send('DELETE', soft), done)
  deepStrictEqual((await vault.read(`/keys/${name}`)).status, 404)
  deepStrictEqual((await send('GET', path)).status, 404)
  deepStrictEqual(await send('POST', 'keymgmt/key/rsa-2048', { deletion_allowed: true }), done)
  deepStrictEqual(await send('DELETE', 'keymgmt/key/rsa-2048'), done)
  deepStrictEqual((await send('GET', 'keymgmt/key/rsa-2048')).status, 404)
}

async function tokens(send: Send): Promise<void> {
  const made = await send('POST', 'auth/token/create', { ttl: '1h' })
  const child = { 'X-Vault-Token': String(made.body.auth?.client_token) }
  deepStrictEqual([made.status, (await send('GET', 'auth/token/lookup-self', undefined, child)).status], [200, 200])
  deepStrictEqual((await send('LIST', 'keymgmt/key', undefined, child)).status, 200)
  deepStrictEqual((await send('POST', 'auth/token/revoke-self', undefined, child)).status, 204)
  deepStrictEqual((await send('LIST', 'keymgmt/key', undefined, child)).status, 403)
  // Go's durations know "µs": what is not ASCII in the sources is the same in a bundle.
  const policy = 'path "keymgmt/*" { capabilities = ["read"] max_wrapping_ttl = "90000000µs" }'
  deepStrictEqual(await send('PUT', 'sys/policies/acl/micro', { policy }), done)
}

async function mounts(send: Send): Promise<void> {
  deepStrictEqual(await send('POST', 'sys/mounts/second', { type: 'keymgmt' }), done)
  deepStrictEqual(await send('POST', 'second/key/orders', { type: 'ecdsa-p384' }), done)
  deepStrictEqual((await send('LIST', 'second/key')).body.data, { keys: ['orders'] })
  ok(Object.keys((await send('GET', 'sys/mounts')).body.data ?? {}).includes('second/'), 'the mount is not listed')
  deepStrictEqual(await send('DELETE', 'sys/mounts/second'), done)
  deepStrictEqual((await send('LIST', 'second/key')).status, 404)
}

async function badInput(send: Send): Promise<void> {
  for (const [method, path, body, status, error] of [
    ['POST', 'keymgmt/key/bad', { type: 'rsa-1024' }, 400, /rsa-2048/],
    ['POST', 'keymgmt/key/bad', '{"type": ', 400, /JSON/i],
    ['GET', 'keymgmt/key/missing', undefined, 404, undefined],
    ['GET', 'nowhere/at/all', undefined, 404, /./],
    ['POST', 'keymgmt/key/bad', 'x'.repeat(2_000_000), 413, /./],
  ] as const) {
    const answer = await send(method, path, body)
    deepStrictEqual([path, answer.status], [path, status])
    if (error) match(answer.body.errors?.join(' ') ?? '', error)
  }
}

if (import.meta.main) {
  const given = process.argv.slice(2)
  const answers = await endToEnd(given.length > 0 ? given : onDeno(process.execPath), { cwd: repository })
  console.log(`${answers} answers were as they must be`)
}
