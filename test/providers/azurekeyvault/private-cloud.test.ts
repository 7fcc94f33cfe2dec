import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { azureOptions } from '../../../src/config/azure.ts'
import { loadSettings } from '../../../src/config/load.ts'
import { type KeyVaultEmulator, startKeyVaultEmulator } from '../../../src/emulator/azurekeyvault/index.ts'
import { createAzureKeyVaultProvider } from '../../../src/providers/azurekeyvault/index.ts'
import { blocksOf } from '../../docs/blocks.ts'
import { clientId, clientSecret, failure, importRequest, MemoryRegister, root, rsaPair, tenantId } from './harness.ts'

let emulator: KeyVaultEmulator
let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'keyferry-test-'))
  emulator = await startKeyVaultEmulator({
    vaults: [
      { name: 'payments', kind: 'premium', suffix: 'vault.corp.example' },
      // So that the certificate is good for login.corp.example too.
      { name: 'unused', kind: 'premium', suffix: 'corp.example' },
    ],
    principals: [{ tenantId, clientId, clientSecret }],
    rsaKeyPairs: async (bits) => rsaPair(bits),
  })
  writeFileSync(join(folder, 'ca.pem'), emulator.caCertificate)
})
afterAll(async () => {
  await emulator.close()
  rmSync(folder, { recursive: true })
})

/** The example of docs/azure-setup.md, with the addresses of this machine in place of its own, as a file that `serve` would read. */
function provider(change: (text: string) => string = (text) => text) {
  const blocks = blocksOf('docs/azure-setup.md').filter(({ text }) => text.includes('"CorpCloud"'))
  expect(blocks).toHaveLength(1)
  const here = `127.0.0.1:${emulator.port}`
  const text = (blocks[0]?.text ?? '')
    .replace('10.1.2.3:8443', here)
    .replace('10.1.2.4:8443', here)
    .replace('/etc/keyferry/corp-ca.pem', join(folder, 'ca.pem'))
  const config = join(folder, 'keyferry.json')
  writeFileSync(config, change(text))
  return createAzureKeyVaultProvider(azureOptions(loadSettings({ config }, {}).azure, {}))
}

const credentials = { tenant_id: tenantId, client_id: clientId, client_secret: clientSecret, environment: 'CorpCloud' }
const open = (change?: (text: string) => string) =>
  provider(change).open({ keyCollection: 'payments', credentials }, root, new MemoryRegister())

test('a vault that we did not set up is pointed at with settings alone', async () => {
  const connection = await open()
  const request = importRequest()
  const { remoteVersion } = await connection.importVersion(request)
  await connection.setVersionEnabled(request.remoteName, remoteVersion, false)
  expect(await connection.describe(request.remoteName)).toMatchObject({ latest: { remoteVersion, enabled: false } })
  await connection.remove(request.remoteName)
  const seen = emulator.requests.map(({ host }) => host)
  expect(new Set(seen)).toEqual(new Set(['payments.vault.corp.example', 'login.corp.example']))
  const findings = await connection.diagnose?.()
  expect(findings?.filter(({ level }) => level === 'warning' || level === 'error')).toEqual([])
})

test.each<[string, (text: string) => string, string]>([
  [
    'another token resource',
    (text) => text.replace('"https://vault.corp.example"', '"https://other.example"'),
    'for another resource than',
  ],
  [
    'an api-version that it does not know',
    (text) => text.replace('"7.6"', '"9.9"'),
    'it does not know the api-version',
  ],
  ['no CA', (text) => text.replace(/"caFile": "[^"]*",/, ''), 'is not trusted'],
])('each setting counts: %s', async (_what, change, sentence) => {
  expect((await failure((await open(change)).describe('key'))).message).toContain(sentence)
})
