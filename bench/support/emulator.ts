import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { temporaryFolder } from './gateway.ts'
import { keyferry, startAndRead } from './program.ts'

/** A Key Vault emulator in a process of its own. */
export interface Emulator {
  /** What a gateway's configuration file says to reach it in place of Azure. */
  settings: unknown
  /** What a KMS that uses its vault is written with. */
  kms: unknown
  admin(method: string, path: string, body?: unknown): Promise<unknown>
  stop(): Promise<void>
}

const vault = 'bench-vault'
const credentials = { tenant_id: randomUUID(), client_id: randomUUID(), client_secret: 'bench-secret' }
const adminToken = 'bench-admin'

/** Starts one with a premium vault. */
export async function startEmulator(): Promise<Emulator> {
  const caFile = join(temporaryFolder(), 'ca.pem')
  const flags = {
    listen: '127.0.0.1:0',
    vault,
    'ca-file': caFile,
    'tenant-id': credentials.tenant_id,
    'client-id': credentials.client_id,
    'client-secret': credentials.client_secret,
    'admin-token': adminToken,
  }
  const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value])
  const { found: url, stop } = await startAndRead(
    keyferry('emulator', 'azurekeyvault', ...args),
    (line) => /^EMULATOR_URL='(.*)'$/.exec(line)?.[1],
  )
  const address = new URL(url).host
  const cloud = { connectTo: address, authorityConnectTo: address, caFile, instanceDiscovery: false }
  const ca = readFileSync(caFile)
  return {
    settings: { azure: { clouds: { AzurePublicCloud: cloud } } },
    kms: { provider: 'azurekeyvault', key_collection: vault, credentials },
    admin: (method, path, body) => send(`${url}/_emulator/${path}`, method, ca, body),
    stop,
  }
}

async function send(url: string, method: string, ca: Buffer, body: unknown): Promise<unknown> {
  return await new Promise((resolve, reject) => {
    const sent = request(url, { method, ca, headers: { Authorization: `Bearer ${adminToken}` } }, (response) => {
      let text = ''
      response.on('data', (part) => {
        text += part
      })
      response.on('end', () => {
        const { statusCode = 0 } = response
        if (statusCode > 299) reject(new Error(`${method} ${url}: ${statusCode} ${text}`))
        else resolve(text === '' ? undefined : JSON.parse(text))
      })
    })
    sent.on('error', reject)
    sent.end(body === undefined ? undefined : JSON.stringify(body))
  })
}
