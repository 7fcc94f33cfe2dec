import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { failpoints } from '../../src/commands/failpoints.ts'
import { CommandError, exitCodes } from '../../src/config/exit-codes.ts'
import { initialise } from '../../src/core/core.ts'
import { newRootKey } from '../../src/core/seal/root-key.ts'
import { openStore } from '../../src/store/sqlite/index.ts'
import { MemoryCloud, memoryProvider } from '../support/memory-provider.ts'
import { call, keyferry, serve, temporaryFolders } from './keyferry.ts'

const folders = temporaryFolders()
const folder = mkdtempSync(join(tmpdir(), 'keyferry-test-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
  folders.removeAll()
})

test('without a setting nothing is wrapped, and one that cannot be read is refused', () => {
  expect([failpoints(undefined), failpoints('')]).toEqual([undefined, undefined])
  for (const wrong of [
    'copies.sent',
    'sent:after',
    'copies.sent:during',
    'copies.sent:after:x',
    'trace:',
    '@file',
    'a b',
  ])
    expect(() => failpoints(wrong)).toThrow(
      new CommandError(
        exitCodes.config,
        `KEYFERRY_FAILPOINT "${wrong}" is not allowed: it must be POINT:before or POINT:after, with :COUNT or not, or trace:FILE`,
      ),
    )
})

test('a trace has every write and every call with an effect, once it is armed, and no reads', async () => {
  const [trace, arm] = [join(folder, 'trace'), join(folder, 'arm')]
  const points = failpoints(`trace:${trace}@${arm}`)
  const opened = openStore({ file: ':memory:' })
  const store = points?.store(opened) ?? opened
  await initialise(store, newRootKey())
  expect(existsSync(trace)).toBe(false)
  writeFileSync(arm, '')
  await store.meta.get('instance_id')
  await store.copies.due(1, 1)
  await store.operations.prune(1, 1)
  await expect(store.copies.release({ copyId: 'none', fence: 1, generation: 1 })).rejects.toMatchObject({
    code: 'conflict',
  })
  const cloud = new MemoryCloud()
  const provider = points?.provider(memoryProvider(new Map([['one', cloud]])))
  const unused = { current: () => undefined, plan: fail, pin: fail, retire: fail }
  const owner = { namespaceId: 'root', namespacePath: '' }
  const connection = await provider?.open({ keyCollection: 'one', credentials: {} }, owner, unused)
  expect(await connection?.describe('orders')).toEqual({ state: 'absent' })
  await connection?.remove('orders')
  opened.close()
  expect(readFileSync(trace, 'utf8').trim().split('\n')).toEqual([
    'operations.prune:before',
    'operations.prune:after',
    'copies.release:before',
    'cloud.remove:before',
    'cloud.remove:after',
  ])
})

test('a process dies at its point, before and after the commit, and says beforehand that it may', async () => {
  const data = join(folders.make(), 'data')
  const { stdout } = await keyferry(['init', '--data', data, '--format', 'json'])
  const { root_token: token } = JSON.parse(stdout) as { root_token: string }
  const warning = expect.stringMatching(/KEYFERRY_FAILPOINT is set[^\n]*\n$/)
  for (const [point, there] of [
    ['keys.create:before', []],
    ['keys.create:after:2', ['a', 'b']],
  ] as const) {
    const { gateway, url } = await serve(['--data', data], { env: { KEYFERRY_FAILPOINT: point } })
    const make = (name: string) => call(url, token, 'POST', `keymgmt/key/${name}`, { type: 'ecdsa-p256' })
    const answers = await Promise.all(['a', 'b'].map((name) => make(name).catch(() => undefined)))
    expect(answers).toContain(undefined)
    expect(await gateway.ended).toMatchObject({ code: null, signal: 'SIGKILL', stderr: warning })
    const after = await serve(['--data', data])
    const list = await call(after.url, token, 'GET', 'keymgmt/key?list=true')
    expect(list.body?.data?.keys ?? []).toEqual(there)
    await after.gateway.stop()
  }
})

function fail(): never {
  throw new Error('not to be called')
}
