import { createPublicKey, type JsonWebKeyInput, type KeyObject, randomBytes, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { Keyferry } from '../keyferry.ts'

/** A version as the vault has it. */
export interface Seen {
  version: string
  enabled: boolean
  publicKey: KeyObject
}

type Jwk = JsonWebKeyInput['key'] & { kty: string }

interface Attributes {
  enabled: boolean
  created: number
}

/** A Key Vault emulator in a process of its own, and what is in its vaults, seen without any code of the gateway's. */
export class Cloud {
  readonly ca: string
  readonly address: string
  readonly #process: Keyferry
  readonly #principal: Principal
  #token: string | undefined

  private constructor(process: Keyferry, address: string, ca: string, principal: Principal) {
    this.#process = process
    this.address = address
    this.ca = ca
    this.#principal = principal
  }

  static async start(folder: string): Promise<Cloud> {
    const secret = () => randomBytes(24).toString('base64url')
    const principal = { tenantId: randomUUID(), clientId: randomUUID(), clientSecret: `s${secret()}` }
    const caFile = join(folder, 'ca.pem')
    const flags = {
      listen: '127.0.0.1:0',
      'ca-file': caFile,
      'tenant-id': principal.tenantId,
      'client-id': principal.clientId,
      'client-secret': principal.clientSecret,
      'admin-token': principal.clientSecret,
    }
    const process = new Keyferry([
      ...['emulator', 'azurekeyvault', '--vault', 'crash-one', '--vault', 'crash-two'],
      ...Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]),
    ])
    const [, address = ''] = await process.says('stdout', /EMULATOR_URL='https:\/\/([^']+)'/)
    return new Cloud(process, address, readFileSync(caFile, 'utf8'), principal)
  }

  /** What a KMS on a vault is written with. */
  kms(vault: string) {
    const { tenantId: tenant_id, clientId: client_id, clientSecret: client_secret } = this.#principal
    return {
      provider: 'azurekeyvault',
      key_collection: vault,
      credentials: { tenant_id, client_id, client_secret },
    }
  }

  async addVault(name: string): Promise<void> {
    await this.#admin('POST', 'vaults', { name, kind: 'premium' })
  }

  /** Names of the keys that are in a vault and not deleted. */
  async names(vault: string): Promise<string[]> {
    const all = await this.#all<{ kid: string }>(vault, '/keys')
    return all.map(({ kid }) => kid.split('/').at(-1) ?? '')
  }

  /** The versions of a key, oldest first. */
  async versions(vault: string, name: string): Promise<Seen[]> {
    const all = await this.#all<{ kid: string; attributes: Attributes }>(vault, `/keys/${name}/versions`)
    const sorted = all.toSorted((one, other) => one.attributes.created - other.attributes.created)
    return await Promise.all(
      sorted.map(async ({ kid, attributes: { enabled } }) => {
        const version = kid.split('/').at(-1) ?? ''
        const { key } = await this.#vault<{ key: Jwk }>(vault, 'GET', `/keys/${name}/${version}`)
        const jwk = { ...key, kty: key.kty.replace('-HSM', '') }
        return { version, enabled, publicKey: createPublicKey({ key: jwk, format: 'jwk' }) }
      }),
    )
  }

  /** The version that is used where none is named. */
  async latest(vault: string, name: string): Promise<string> {
    const { key } = await this.#vault<{ key: { kid: string } }>(vault, 'GET', `/keys/${name}`)
    return key.kid.split('/').at(-1) ?? ''
  }

  async change(vault: string, name: string, version: string, change: object): Promise<void> {
    await this.#vault(vault, 'PATCH', `/keys/${name}/${version}`, change)
  }

  async delete(vault: string, name: string): Promise<void> {
    await this.#vault(vault, 'DELETE', `/keys/${name}`)
  }

  /** After `delete`: for good. */
  async purge(vault: string, name: string): Promise<void> {
    await this.#vault(vault, 'DELETE', `/deletedkeys/${name}`)
  }

  /** What a version does with its private key: `sign` (a digest) or `decrypt`. */
  async use(vault: string, key: string, work: 'sign' | 'decrypt', alg: string, value: Buffer): Promise<Buffer> {
    const body = { alg, value: value.toString('base64url') }
    const answer = await this.#vault<{ value: string }>(vault, 'POST', `/keys/${key}/${work}`, body)
    return Buffer.from(answer.value, 'base64url')
  }

  async close(): Promise<void> {
    await this.#process.stop('SIGKILL')
  }

  async #all<T>(vault: string, path: string): Promise<T[]> {
    const found: T[] = []
    for (let next: string | undefined = `${path}?api-version=7.6`; next !== undefined; ) {
      const page: { value: T[]; nextLink?: string | null } = await this.#vault(vault, 'GET', next)
      found.push(...page.value)
      next = page.nextLink ? page.nextLink.replace(/^https:\/\/[^/]+/, '') : undefined
    }
    return found
  }

  async #vault<T>(vault: string, method: string, path: string, body?: unknown): Promise<T> {
    this.#token ??= await this.#logIn()
    const full = path.includes('?') ? path : `${path}?api-version=7.6`
    const headers = { host: `${vault}.vault.azure.net`, authorization: `Bearer ${this.#token}` }
    return await this.#send<T>(method, full, headers, body === undefined ? undefined : JSON.stringify(body))
  }

  async #logIn(): Promise<string> {
    const { tenantId, clientId, clientSecret } = this.#principal
    const form = new URLSearchParams({
      grant_type: 'client_credentials',
      scope: 'https://vault.azure.net/.default',
      client_id: clientId,
      client_secret: clientSecret,
    })
    const headers = { host: 'login.microsoftonline.com', 'content-type': 'application/x-www-form-urlencoded' }
    const path = `/${tenantId}/oauth2/v2.0/token`
    return (await this.#send<{ access_token: string }>('POST', path, headers, form.toString())).access_token
  }

  async #admin(method: string, path: string, body: unknown): Promise<void> {
    const headers = { authorization: `Bearer ${this.#principal.clientSecret}` }
    await this.#send(method, `/_emulator/${path}`, headers, JSON.stringify(body))
  }

  async #send<T>(method: string, path: string, headers: Record<string, string>, body?: string): Promise<T> {
    const [host, port] = this.address.split(':')
    const type = body === undefined ? {} : { 'content-type': 'application/json' }
    const options = { host, port, path, method, ca: this.ca, servername: 'localhost', headers: { ...type, ...headers } }
    return await new Promise<T>((resolve, reject) => {
      const sent = request(options, (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (part) => {
          text += part
        })
        response.on('end', () => {
          if ((response.statusCode ?? 0) > 299) reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`))
          else resolve((text === '' ? undefined : JSON.parse(text)) as T)
        })
      })
      sent.on('error', reject).end(body)
    })
  }
}

interface Principal {
  tenantId: string
  clientId: string
  clientSecret: string
}
