import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { azureOptions } from '../../src/config/azure.ts'
import { loadSettings } from '../../src/config/load.ts'
import { settingsSchema } from '../../src/config/settings.ts'
import { otherVariables, sources } from '../../src/config/sources.ts'
import { createAzureKeyVaultProvider } from '../../src/providers/azurekeyvault/index.ts'
import { blocksOf, repository } from './blocks.ts'

const file = 'docs/configuration.md'
const text = readFileSync(join(repository, file), 'utf8')

test('the example is a configuration that a gateway starts with', () => {
  const [example] = blocksOf(file).filter(({ language }) => language === 'json')
  const folder = mkdtempSync(join(tmpdir(), 'keyferry-docs-'))
  try {
    const config = join(folder, 'keyferry.json')
    writeFileSync(config, example?.text ?? '')
    const settings = loadSettings({ config }, {})
    expect(settings.data).toBe('/var/lib/keyferry')
    expect(() => createAzureKeyVaultProvider(azureOptions(settings.azure, {}))).not.toThrow()
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('every setting, flag and variable is named', () => {
  const names = [...namesIn(settingsSchema), ...sources.flatMap(({ flag, variable }) => [`--${flag}`, variable])]
  expect(names).toContain('kekType')
  expect(names.length).toBeGreaterThan(30)
  expect([...names, ...otherVariables].filter((name) => !text.includes(name))).toEqual([])
})

/** The names of all settings, however deep. */
function namesIn(schema: unknown): string[] {
  const { shape, valueType, def } = schema as {
    shape?: Record<string, unknown>
    valueType?: unknown
    def?: { innerType?: unknown }
  }
  if (def?.innerType) return namesIn(def.innerType)
  if (valueType) return namesIn(valueType)
  return Object.entries(shape ?? {}).flatMap(([name, inner]) => [name, ...namesIn(inner)])
}
