import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { devGateway } from './gateway.ts'
import { missingPython, pythonWith } from './python.ts'
import { here } from './tools.ts'

const missing = missingPython()

describe.skipIf(missing !== undefined && process.env.CI !== 'true')('Prometheus’ own parser (Python)', () => {
  it('takes what /metrics prints', { timeout: 300_000 }, async () => {
    expect(missing).toBeUndefined()
    const venv = await pythonWith('prometheus', join(here, 'prometheus/requirements.txt'))
    const gateway = await devGateway()
    const headers = { 'x-vault-token': gateway.env.VAULT_TOKEN ?? '' }
    try {
      await fetch(`${gateway.env.VAULT_ADDR}/v1/sys/mounts`, { headers })
      const input = await (await fetch(`${gateway.env.VAULT_ADDR}/metrics`, { headers })).text()
      const found = JSON.parse(
        execFileSync(join(venv, 'bin/python'), [join(here, 'prometheus/parse.py')], { input, encoding: 'utf8' }),
      )
      // The parser takes the end of a counter's name away, as OpenMetrics has it.
      expect(Object.keys(found)).toHaveLength(input.match(/^# TYPE /gm)?.length ?? 0)
      expect(found).toMatchObject({
        keyferry_http_requests: ['counter', 1],
        keyferry_http_request_duration_seconds: ['histogram', 15],
        keyferry_key_pool_ready: ['gauge', 3],
      })
    } finally {
      await gateway.close()
    }
  })
})
