import https from 'node:https'
import type { KeyVaultEmulator } from '../../../src/emulator/azurekeyvault/index.ts'
import { clientId, clientSecret, tenantId } from './harness.ts'

export interface RawAnswer {
  status: number
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever JSON comes
  body: any
}

/** A client of the emulator that shares nothing with the provider or the SDK: what arrived is used through it. */
export class RawClient {
  readonly #emulator: KeyVaultEmulator
  readonly #resource: string
  readonly #identity: { clientId: string; clientSecret: string }
  #token: Promise<string> | undefined

  constructor(emulator: KeyVaultEmulator, suffix = 'vault.azure.net', identity = { clientId, clientSecret }) {
    this.#emulator = emulator
    this.#identity = identity
    this.#resource = `https://${suffix}`
  }

  /** Runs an operation with a key version by its full id. */
  async use(keyId: string, operation: string, body: Record<string, string>): Promise<RawAnswer> {
    return await this.call('POST', `${keyId}/${operation}`, body)
  }

  async call(method: string, url: string, body?: unknown): Promise<RawAnswer> {
    const { host, pathname, search } = new URL(url)
    this.#token ??= this.#askForToken()
    return await this.#send(
      method,
      host,
      `${pathname}${search === '' ? '?api-version=7.6' : search}`,
      JSON.stringify(body ?? {}),
      {
        authorization: `Bearer ${await this.#token}`,
        'content-type': 'application/json',
      },
    )
  }

  async #askForToken(): Promise<string> {
    const form = new URLSearchParams({
      client_id: this.#identity.clientId,
      client_secret: this.#identity.clientSecret,
      scope: `${this.#resource}/.default`,
      grant_type: 'client_credentials',
    })
    const path = `/${tenantId}/oauth2/v2.0/token`
    const answer = await this.#send('POST', 'login.microsoftonline.com', path, form.toString(), {
      'content-type': 'application/x-www-form-urlencoded',
    })
    if (answer.status !== 200) throw new Error(`no token: ${JSON.stringify(answer.body)}`)
    return answer.body.access_token
  }

  #send(method: string, host: string, path: string, body: string, headers: Record<string, string>): Promise<RawAnswer> {
    const text = method === 'GET' || method === 'DELETE' ? '' : body
    return new Promise((resolve, reject) => {
      const request = https.request(
        {
          host: '127.0.0.1',
          port: this.#emulator.port,
          servername: host,
          ca: this.#emulator.caCertificate,
          method,
          path,
          headers: { ...headers, host, 'content-length': Buffer.byteLength(text) },
        },
        (response) => {
          const parts: Buffer[] = []
          response.on('data', (part) => parts.push(part))
          response.on('end', () => {
            const received = Buffer.concat(parts).toString()
            resolve({ status: response.statusCode ?? 0, body: received === '' ? undefined : JSON.parse(received) })
          })
        },
      )
      request.on('error', reject)
      request.end(text)
    })
  }
}
