import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { verify } from '../../demo/narrate.ts'
import { repository } from './keyferry.ts'

function demo(env: Record<string, string> = {}) {
  return spawnSync(process.execPath, [join(repository, 'demo/demo.ts')], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH ?? '', NO_COLOR: '1', ...env },
  })
}

describe('the demo', () => {
  test('tells its whole story, and nothing secret in it', () => {
    const { status, stdout, stderr } = demo()
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout.match(/^\d\. .*$/gm)?.map((line) => line.slice(0, 2))).toEqual(['1.', '2.', '3.', '4.', '5.', '6.'])
    for (const proof of [
      'the vault reads what was written with the public key',
      'the vault reads what the new public key wrote',
      'and still what the old one wrote',
      'it is soft-deleted',
    ]) {
      expect(stdout).toContain(`✓ ${proof}`)
    }
    expect(stdout).toMatch(/"client_secret":"…"/)
    expect(stdout.trimEnd().split('\n').at(-1)).toMatch(/^All of it held\./)
  })

  test('ends with 1 when the gateway cannot even start', () => {
    const { status, stdout } = demo({ TMPDIR: '/no/such/folder' })
    expect(status).toBe(1)
    expect(stdout).not.toContain('All of it held')
  })

  test('does not let a difference pass', () => {
    expect(() => verify('two', 2, 3)).toThrow('two: found 2, wanted 3')
    expect(() => verify('a text', 'x', undefined)).toThrow('a text: found "x"')
  })
})
