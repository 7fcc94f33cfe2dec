import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseEnv } from 'node:util'
import { compileProgram } from '../src/binary/program.ts'

/**
 * `node scripts/warm-up.ts TEXT ADDON COMPILED`: has the bundle TEXT do what a gateway does in its first minute, and writes the code
 * that was compiled on the way to COMPILED. A process of its own, since nothing else may be in it and it ends in the middle.
 */
const [, , textFile = '', addonFile = '', compiledFile = ''] = process.argv

/** Stands in for `node:sea`, which works only in the binary. */
const addon = readFileSync(addonFile)
const sea = {
  getAsset: () => createHash('sha256').update(addon).digest('hex'),
  getRawAsset: () => new Uint8Array(addon).buffer,
}
const require = createRequire(import.meta.url)
const program = compileProgram(readFileSync(textFile, 'latin1'))
const { main } = program.run((name) => (name === 'node:sea' ? sea : require(name)))

const folder = mkdtempSync(join(tmpdir(), 'keyferry-warm-up-'))
try {
  const data = join(folder, 'data')
  await main(['init', '--data', data, '--format', 'json'])
  const served = heard(/answers at (\S+)/)
  void main(['serve', '--data', data, '--listen', '127.0.0.1:0', '--log-level', 'error'])
  const [, served_url = ''] = await served
  for (let count = 0; count < 10; count++) await fetch(`${served_url}/v1/sys/health`)

  const file = join(folder, 'dev.env')
  const ready = heard(/Ctrl-C stops it/)
  void main(['dev', '--listen', '127.0.0.1:0', '--env-file', file])
  await ready
  await useGateway(parseEnv(readFileSync(file, 'utf8')))
  // V8 compiles some functions again in the background, with what it has learnt: those are not for the cache.
  await sleep(100)
  writeFileSync(compiledFile, program.compiledCode())
} finally {
  rmSync(folder, { recursive: true })
}
process.exit()

/** Resolves with what matched once the program has said it on standard output. */
function heard(pattern: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve) => {
    const { log } = console
    console.log = (...words: unknown[]) => {
      const match = pattern.exec(words.join(' '))
      if (!match) return
      console.log = log
      resolve(match)
    }
  })
}

/** Makes keys, ferries one, rotates it, looks around and takes it away: whatever fails stops the build. */
async function useGateway(env: Readonly<Record<string, string | undefined>>): Promise<void> {
  const send = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(`${env.VAULT_ADDR}/v1/${path}`, {
      method,
      headers: { 'X-Vault-Token': env.VAULT_TOKEN ?? '' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`)
  }
  await send('POST', 'keymgmt/kms/prod', {
    provider: 'azurekeyvault',
    key_collection: env.KEY_VAULT_NAME,
    credentials: {
      tenant_id: env.AZURE_TENANT_ID,
      client_id: env.AZURE_CLIENT_ID,
      client_secret: env.AZURE_CLIENT_SECRET,
    },
  })
  await send('POST', 'keymgmt/key/orders', { type: 'rsa-2048' })
  await send('POST', 'keymgmt/key/lines', { type: 'ecdsa-p256' })
  await send('POST', 'keymgmt/kms/prod/key/orders', { purpose: 'encrypt,decrypt', protection: 'hsm' })
  await send('POST', 'keymgmt/key/orders/rotate')
  for (let count = 0; count < 10; count++) {
    await send('GET', 'keymgmt/key/orders')
    await send('GET', 'keymgmt/kms/prod/key/orders')
    await send('LIST', 'keymgmt/key')
  }
  await send('DELETE', 'keymgmt/kms/prod/key/orders')
}
