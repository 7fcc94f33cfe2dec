import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startDevEmulator, throughEmulator } from '../../src/commands/dev-emulator.ts'
import { newDevPrincipal, premiumVault } from '../../src/commands/dev-principal.ts'
import type { KeyVaultEmulator } from '../../src/emulator/azurekeyvault/index.ts'
import { call } from './keyferry.ts'

/** An emulator, a configuration file that leads to it, and a KMS in it. */
export async function emulatedCloud(folder: string) {
  const principal = newDevPrincipal()
  const emulator: KeyVaultEmulator = await startDevEmulator(principal)
  const ca = join(folder, 'ca.pem')
  writeFileSync(ca, emulator.caCertificate)
  const clouds = Object.fromEntries(
    Object.entries(throughEmulator(emulator).clouds ?? {}).map(([name, { ca: _, ...cloud }]) => [
      name,
      { ...cloud, caFile: ca },
    ]),
  )
  const config = join(folder, 'keyferry.json')
  writeFileSync(config, JSON.stringify({ azure: { clouds } }))
  const { tenantId: tenant_id, clientId: client_id, clientSecret: client_secret } = principal
  const kms = {
    provider: 'azurekeyvault',
    key_collection: premiumVault,
    credentials: { tenant_id, client_id, client_secret },
  }
  return {
    emulator,
    config,
    /** Makes the KMS `prod`, a key and its copy there. */
    distribute: async (url: string, token: string, key: string) => {
      await call(url, token, 'POST', 'keymgmt/kms/prod', kms)
      await call(url, token, 'POST', `keymgmt/key/${key}`, { type: 'ecdsa-p256' })
      return await call(url, token, 'POST', `keymgmt/kms/prod/key/${key}`, { purpose: 'sign', protection: 'hsm' })
    },
  }
}

/** Calls one after the other until it is stopped; gives what they answered. */
export function keepCalling(one: (number: number) => Promise<unknown>): { stop(): Promise<number> } {
  let going = true
  let done = 0
  const work = (async () => {
    while (going) await one(done++)
  })()
  // Whoever stops it is told of what failed.
  work.catch(() => {})
  return {
    stop: async () => {
      going = false
      await work
      return done
    },
  }
}
