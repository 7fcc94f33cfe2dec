import { expect, test } from 'vitest'
import { notOnDeno } from '../../src/commands/serve-checks.ts'
import { loadSettings } from '../../src/config/load.ts'

test('what Deno decides itself is refused there, and nothing else is', () => {
  const settings = loadSettings({}, {})
  expect(notOnDeno(settings)).toEqual([])
  const set = {
    ...settings,
    listen: '127.0.0.1:1',
    tls: { ...settings.tls, minVersion: 'TLSv1.3' as const },
    http: {
      ...settings.http,
      headerTimeoutMs: 1000,
      bodyTimeoutMs: 1000,
      keepAliveMs: 1000,
      maxHeaderBytes: 4096,
      maxBodyBytes: 4096,
      trustedProxies: ['10.0.0.0/8'],
    },
  }
  const names = [
    'tls.minVersion',
    'http.headerTimeoutMs',
    'http.bodyTimeoutMs',
    'http.keepAliveMs',
    'http.maxHeaderBytes',
  ]
  expect(notOnDeno(set).map(({ message, exitCode }) => [message, exitCode])).toEqual(
    names.map((name) => [`${name} cannot be set on Deno, whose own server decides it: take it out`, 78]),
  )
})
