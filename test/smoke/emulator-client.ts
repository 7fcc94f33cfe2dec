import { readFileSync } from 'node:fs'
import { request } from 'node:https'

interface KeyAnswer {
  status: number
  key?: { kty?: string }
  attributes?: { enabled?: boolean }
}

/** An application that uses a vault, by its REST API alone: names stay real, sockets go to the emulator. */
export async function connectToEmulator(env: Readonly<Record<string, string>>, vault: string) {
  const port = Number(new URL(env.EMULATOR_URL ?? '').port)
  const ca = readFileSync(env.EMULATOR_CA_FILE ?? '', 'utf8')

  function call(host: string, method: string, path: string, headers: Record<string, string>, body?: string) {
    return new Promise<{ status: number; body: Record<string, unknown> }>((resolve, reject) => {
      const options = {
        host: '127.0.0.1',
        port,
        servername: host,
        ca,
        method,
        path,
        headers: { Host: host, ...headers },
      }
      const sent = request(options, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          resolve({ status: response.statusCode ?? 0, body: text === '' ? {} : JSON.parse(text) })
        })
      })
      sent.on('error', reject)
      sent.end(body)
    })
  }

  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    scope: 'https://vault.azure.net/.default',
    client_id: env.AZURE_CLIENT_ID ?? '',
    client_secret: env.AZURE_CLIENT_SECRET ?? '',
  })
  const login = await call(
    'login.microsoftonline.com',
    'POST',
    `/${env.AZURE_TENANT_ID}/oauth2/v2.0/token`,
    { 'Content-Type': 'application/x-www-form-urlencoded' },
    form.toString(),
  )
  const headers = { Authorization: `Bearer ${login.body.access_token}`, 'Content-Type': 'application/json' }
  const host = `${vault}.vault.azure.net`

  return {
    /** Reads `/keys/NAME[/VERSION]`. */
    async read(path: string): Promise<KeyAnswer> {
      const { status, body } = await call(host, 'GET', `${path}?api-version=7.6`, headers)
      return { status, ...body }
    },
    /** RSA-OAEP-256, by one version of a key. */
    async decrypt(name: string, version: string, ciphertext: Buffer): Promise<Buffer> {
      const body = JSON.stringify({ alg: 'RSA-OAEP-256', value: ciphertext.toString('base64url') })
      const answer = await call(host, 'POST', `/keys/${name}/${version}/decrypt?api-version=7.6`, headers, body)
      if (answer.status !== 200) throw new Error(`decrypt answered ${answer.status}: ${JSON.stringify(answer.body)}`)
      return Buffer.from(String(answer.body.value), 'base64url')
    },
  }
}
