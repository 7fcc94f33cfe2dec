import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'

it('loads the Azure SDK at the first open, and not before', () => {
  const script = `
    import { createRequire } from 'node:module'
    const azure = () => Object.keys(createRequire(import.meta.url).cache).filter((path) => path.includes('@azure')).length > 0
    const { createAzureKeyVaultProvider } = await import('./src/providers/azurekeyvault/index.ts')
    const provider = createAzureKeyVaultProvider()
    const settings = { keyCollection: 'prod-keys', credentials: { tenant_id: 'a.example', client_id: 'x', client_secret: 'y' } }
    const owner = { namespaceId: 'root', namespacePath: '' }
    provider.parse(settings, owner)
    const before = azure()
    await provider.open(settings, owner, { current: () => undefined })
    console.log(JSON.stringify([before, azure()]))
  `
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  expect(JSON.parse(output)).toEqual([false, true])
})
