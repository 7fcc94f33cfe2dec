import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'

it('loads the four files of prom-client that it needs, and what these need, at the first use', () => {
  const script = `
    import { createRequire } from 'node:module'
    const loaded = () => Object.keys(createRequire(import.meta.url).cache).flatMap((path) => /node_modules\\/(.+)/.exec(path)?.[1] ?? [])
    const { createTelemetry } = await import('./src/telemetry/index.ts')
    const telemetry = createTelemetry('1.2.3')
    const before = loaded()
    telemetry.ended(telemetry.begun(), 'other', 'GET', 200)
    console.log(JSON.stringify([before, loaded().sort()]))
  `
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  const files = ['counter', 'exemplar', 'gauge', 'histogram', 'metric', 'registry', 'util', 'validation']
  expect(JSON.parse(output)).toEqual([[], files.map((file) => `prom-client/lib/${file}.js`)])
})
