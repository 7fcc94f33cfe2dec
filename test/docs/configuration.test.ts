import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { expect, test } from 'vitest'
import { azureOptions } from '../../src/config/azure.ts'
import { readConfigFile } from '../../src/config/file.ts'
import { publishedSchema } from '../../src/config/json-schema.ts'
import { loadSettings } from '../../src/config/load.ts'
import { allSettings } from '../../src/config/schema.ts'
import { otherVariables, sources } from '../../src/config/sources.ts'
import { createAzureKeyVaultProvider } from '../../src/providers/azurekeyvault/index.ts'
import { blocksOf, repository } from './blocks.ts'

const file = 'docs/configuration.md'
const text = readFileSync(join(repository, file), 'utf8')

test('the example is a configuration that a gateway starts with, and that editors find no fault in', () => {
  const [example] = blocksOf(file).filter(({ language }) => language === 'yaml')
  expect(example?.text).toMatch(/^# yaml-language-server: \$schema=keyferry\.schema\.json\n/)
  const folder = mkdtempSync(join(tmpdir(), 'keyferry-docs-'))
  try {
    const config = join(folder, 'keyferry.yaml')
    writeFileSync(config, example?.text ?? '')
    const settings = loadSettings({ config }, {})
    expect(settings.data).toBe('/var/lib/keyferry')
    expect(() => createAzureKeyVaultProvider(azureOptions(settings.azure, {}))).not.toThrow()
    const schema = JSON.parse(readFileSync(join(repository, publishedSchema), 'utf8')) as object
    expect(new Ajv().validate(schema, readConfigFile(config).tree)).toBe(true)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('every setting, flag and variable is named', () => {
  const names = [...allSettings().flat(), ...sources.flatMap(({ flag, variable }) => [`--${flag}`, variable])]
  expect(names).toContain('kekType')
  expect(names.length).toBeGreaterThan(30)
  expect([...names, ...otherVariables].filter((name) => !text.includes(name))).toEqual([])
})
