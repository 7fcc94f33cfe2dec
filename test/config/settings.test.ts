import { describe, expect, test } from 'vitest'
import { loadSettings } from '../../src/config/load.ts'
import { checkTree } from '../../src/config/problems.ts'
import { allSettings, describedAt, namesAt } from '../../src/config/schema.ts'
import { settingsSchema } from '../../src/config/settings.ts'
import { helpOf, sources } from '../../src/config/sources.ts'
import { flatten, withValue } from '../../src/config/tree.ts'
import { defaultLookTiming } from '../../src/core/distribution/looks.ts'
import { defaultPoolSizes } from '../../src/core/keys/ready-keys.ts'
import { defaultOptions } from '../../src/http/options.ts'

const paths = allSettings()
const named = paths.map((path) => path.join('.'))

describe('every setting', () => {
  test('is found', () => {
    expect(named.length).toBeGreaterThan(45)
    for (const name of ['data', 'http.trustedProxies', 'azure.clouds.*.kekType', 'keyPool.rsa-4096']) {
      expect(named).toContain(name)
    }
    expect(namesAt([])).toContain('telemetry')
    expect(namesAt(['azure', 'clouds', 'Any'])).toContain('caFile')
    expect(namesAt(['data'])).toEqual([])
  })

  test.each(paths.map((path) => [path.join('.'), path] as const))('%s is described in a few words', (_, path) => {
    const { description } = describedAt(path)
    expect(description.length).toBeGreaterThan(3)
    expect(description.length).toBeLessThanOrEqual(110)
    expect(description).toMatch(/^[\x20-\x7e]+$/)
  })

  test.each(paths.map((path) => [path.join('.'), path] as const))('%s says what is allowed', (name, path) => {
    for (const wrong of [{}, { none: 1 }, [{}], -1, 1.5, '', true, null, [null]]) {
      const { good, problems } = checkTree(withValue({}, path, wrong), (at) => at.join('.'))
      for (const { sentence } of problems) {
        const [setting = '', ...rest] = sentence.split(' ')
        expect(setting.replace(/\.(none|0)$/, '')).toBe(name)
        expect(rest.join(' ')).toMatch(/^(must |is empty: give it a value|is no setting)/)
      }
      expect(settingsSchema.safeParse(good).success).toBe(true)
      if (problems.length > 0) expect(flatten(good)).toEqual([])
    }
    expect(checkTree(withValue({}, path, null), (at) => at.join('.')).problems).toHaveLength(1)
  })

  test('with a default has one that is allowed, and it is the one of whoever uses it', () => {
    const defaults = loadSettings({}, {})
    expect(checkTree(defaults, (at) => at.join('.')).problems).toEqual([])
    expect(defaults.reconcileEveryMs).toBe(defaultLookTiming.everyMs)
    expect(defaults.keyPool).toEqual(defaultPoolSizes)
    expect(defaults.http.maxBodyBytes).toBe(defaultOptions.maxBodyBytes)
    expect(defaults.telemetry.metrics).toBe(defaultOptions.metrics)
    const said = flatten(defaults).map(([path]) => path.join('.'))
    const described = paths.filter((path) => describedAt(path).default !== undefined).map((path) => path.join('.'))
    expect(said.sort()).toEqual(described.filter((name) => name !== 'azure.clouds').sort())
  })
})

test("a flag's help is the description, with the default", () => {
  const help = Object.fromEntries(sources.map((source) => [source.flag, helpOf(source)]))
  expect(help).toMatchObject({
    data: 'the data folder that "keyferry init" made',
    listen: 'HOST:PORT to listen on; port 0 takes a free one; 127.0.0.1:8200 unless told',
  })
})
