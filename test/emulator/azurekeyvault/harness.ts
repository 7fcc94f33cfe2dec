import {
  createCipheriv,
  createPublicKey,
  constants as cryptoConstants,
  generateKeyPair,
  type JsonWebKeyInput,
  type KeyObject,
  publicEncrypt,
  randomBytes,
} from 'node:crypto'
import { Agent, request as httpsRequest } from 'node:https'
import { promisify } from 'node:util'
import { ClientSecretCredential, type TokenCredential } from '@azure/identity'
import { CryptographyClient, type JsonWebKey, KeyClient, type KeyVaultKey } from '@azure/keyvault-keys'
import type { KeyVaultEmulator, PrincipalSpec, RsaKeyPairs } from '../../../src/emulator/azurekeyvault/index.ts'

export const tenantId = '8a1f2c52-5a3c-4a39-9a0e-0d6f3b1c2d4e'

export const owner = {
  tenantId,
  clientId: 'b7c9f0de-6d0b-4f6e-8f0a-2f4f4f1d3c11',
  clientSecret: 'the-secret-of-the-owner',
} satisfies PrincipalSpec

const makeKeyPair = promisify(generateKeyPair)
const pairs = new Map<number, Promise<{ privateKey: KeyObject }>>()

/** RSA key pairs that a test file makes once for each size, since they take long. */
export const sharedRsaKeyPairs: RsaKeyPairs = (bits) => {
  const pair = pairs.get(bits) ?? makeKeyPair('rsa', { modulusLength: bits })
  pairs.set(bits, pair)
  return pair
}

/**
 * SDK options that send the socket of every request to the emulator, whatever the host in its URL, with that host as TLS server name and
 * the emulator's CA as the only trusted one.
 */
export function routed({ port, caCertificate }: { port: number; caCertificate: string }) {
  const agent = new Agent({ keepAlive: true, ca: caCertificate })
  const connect = agent.createConnection.bind(agent)
  agent.createConnection = (options, callback) => connect({ ...options, host: '127.0.0.1', port }, callback)
  return {
    additionalPolicies: [
      {
        position: 'perRetry' as const,
        policy: {
          name: 'routeToEmulator',
          sendRequest(request: { agent?: unknown }, next: (request: never) => never) {
            request.agent = agent
            return next(request as never)
          },
        },
      },
    ],
    retryOptions: { maxRetries: 0 },
    close: () => agent.destroy(),
  }
}

/** A credential for a principal, through the emulator's own token authority at its real host name. */
export function credentialOf(
  emulator: KeyVaultEmulator,
  principal: { tenantId: string; clientId: string; clientSecret: string } = owner,
  authorityHost = 'https://login.microsoftonline.com',
): ClientSecretCredential {
  return new ClientSecretCredential(principal.tenantId, principal.clientId, principal.clientSecret, {
    authorityHost,
    ...routed(emulator),
  })
}

/** A client for the vault at `https://<host>`, with challenge verification on. */
export function clientOf(
  emulator: KeyVaultEmulator,
  host: string,
  credential: TokenCredential = credentialOf(emulator),
) {
  return new KeyClient(`https://${host}`, credential, routed(emulator))
}

export function cryptographyOf(
  emulator: KeyVaultEmulator,
  key: KeyVaultKey | string,
  credential: TokenCredential = credentialOf(emulator),
) {
  return new CryptographyClient(key, credential, routed(emulator))
}

export interface Answer {
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
  readonly text: string
  /** The body as JSON; empty when it is none. */
  readonly json: {
    readonly error?: { code: string; message: string; innererror?: { code: string } }
    readonly key?: Record<string, unknown>
    readonly attributes?: Record<string, unknown>
    readonly [member: string]: unknown
  }
}

/** A request as it is, below any SDK. */
export function call(
  emulator: KeyVaultEmulator,
  options: {
    method?: string
    host?: string
    path: string
    token?: string | undefined
    body?: unknown
    headers?: Record<string, string>
  },
): Promise<Answer> {
  const { method = 'GET', host = 'localhost', path, token, body, headers } = options
  const payload = body === undefined || Buffer.isBuffer(body) || typeof body === 'string' ? body : JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      {
        host: '127.0.0.1',
        port: emulator.port,
        servername: /^[\d.]+$/.test(host) ? '' : host.replace(/:\d+$/, ''),
        ca: emulator.caCertificate,
        method,
        path,
        agent: false,
        headers: { host, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers },
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8')
          let json = {}
          try {
            json = JSON.parse(text)
          } catch {
            json = {}
          }
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json } as Answer)
        })
      },
    )
    request.on('error', reject)
    request.end(payload)
  })
}

/** The identifier of the key in an answer. */
export const kidOf = (answer: Answer): string => String(answer.json.key?.kid)

/** The version at the end of a key identifier. */
export const versionOf = (answer: Answer): string => kidOf(answer).split('/').at(-1) ?? ''

/** A token by the client credentials grant, without the SDK. */
export async function tokenOf(
  emulator: KeyVaultEmulator,
  principal: { tenantId: string; clientId: string; clientSecret: string } = owner,
  resource = 'https://vault.azure.net',
  authority = 'login.microsoftonline.com',
): Promise<string> {
  const answer = await call(emulator, {
    method: 'POST',
    host: authority,
    path: `/${principal.tenantId}/oauth2/v2.0/token`,
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: principal.clientId,
      client_secret: principal.clientSecret,
      scope: `${resource}/.default`,
    }).toString(),
  })
  if (answer.status !== 200) throw new Error(answer.text)
  return String(answer.json.access_token)
}

/** Talks to one vault with a token. */
export async function vaultCaller(
  emulator: KeyVaultEmulator,
  host: string,
  resource = `https://${host.slice(host.indexOf('.') + 1)}`,
) {
  const token = await tokenOf(emulator, owner, resource)
  return (method: string, path: string, body?: unknown) =>
    call(emulator, { method, host, token, body, path: `${path}${path.includes('?') ? '&' : '?'}api-version=7.6` })
}

/** What the admin API is asked, with its token. */
export function admin(emulator: KeyVaultEmulator, method: string, path: string, body?: unknown): Promise<Answer> {
  return call(emulator, { method, path: `/_emulator${path}`, token: emulator.adminToken, body })
}

/**
 * Wraps a key for a key exchange key by CKM_RSA_AES_KEY_WRAP, with OpenSSL's own key wrap: nothing of the emulator's.
 */
export function wrapFor(
  kek: KeyObject,
  target: Buffer,
  options: { ephemeral?: Buffer; oaepHash?: string; cipher?: string } = {},
): Buffer {
  const ephemeral = options.ephemeral ?? randomBytes(32)
  const first = publicEncrypt(
    { key: kek, padding: cryptoConstants.RSA_PKCS1_OAEP_PADDING, oaepHash: options.oaepHash ?? 'sha1' },
    ephemeral,
  )
  const cipher = createCipheriv(
    options.cipher ?? `id-aes${ephemeral.length * 8}-wrap-pad`,
    ephemeral,
    Buffer.from('a65959a6', 'hex'),
  )
  return Buffer.concat([first, cipher.update(target), cipher.final()])
}

/** A key transfer blob. `change` may spoil it. */
export function transferBlob(kid: string, ciphertext: Buffer, change: Record<string, unknown> = {}): Uint8Array {
  const blob = {
    schema_version: '1.0.0',
    header: { kid, alg: 'dir', enc: 'CKM_RSA_AES_KEY_WRAP' },
    ciphertext: ciphertext.toString('base64url'),
    generator: 'test',
    ...change,
  }
  return Buffer.from(JSON.stringify(blob))
}

/** The public key of a JWK as the SDK gives it. */
export function publicKeyOf(key: JsonWebKey): KeyObject {
  const text = (bytes: Uint8Array | undefined) =>
    bytes === undefined ? undefined : Buffer.from(bytes).toString('base64url')
  const jwk = key.n
    ? { kty: 'RSA', n: text(key.n), e: text(key.e) }
    : { kty: 'EC', crv: key.crv === 'P-256K' ? 'secp256k1' : key.crv, x: text(key.x), y: text(key.y) }
  return createPublicKey({ key: jwk, format: 'jwk' } as JsonWebKeyInput)
}

/** PKCS#8 in DER, the plaintext of a wrapped key. */
export function pkcs8(privateKey: KeyObject): Buffer {
  return privateKey.export({ format: 'der', type: 'pkcs8' })
}

/** Runs what must fail, and gives the error's parts that the SDK shows. */
export async function failure(
  run: Promise<unknown>,
): Promise<{ status: number | undefined; code: string | undefined; message: string; inner: string | undefined }> {
  try {
    await run
  } catch (error) {
    const e = error as {
      statusCode?: number
      code?: string
      message: string
      details?: { error?: { message?: string; innerError?: { code?: string } } }
    }
    return {
      status: e.statusCode,
      code: e.code,
      message: e.details?.error?.message ?? e.message,
      inner: e.details?.error?.innerError?.code,
    }
  }
  throw new Error('It was expected to fail, and did not.')
}
