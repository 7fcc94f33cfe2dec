import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { changedBefore } from '../../src/http/middleware/idempotency.ts'
import { testCore } from '../support/gateway.ts'
import { stillRuns } from './idempotency-refusals.ts'

describe('a crash, and other processes', () => {
  const folders: string[] = []
  afterAll(() => {
    for (const folder of folders) rmSync(folder, { recursive: true })
  })

  /** Two gateways on one file, and what sends to either of them. */
  async function two() {
    const folder = mkdtempSync(join(tmpdir(), 'keyferry-'))
    folders.push(folder)
    const file = join(folder, 'keyferry.db')
    const first = await testCore({ file })
    const second = await testCore({ file, rootKey: first.rootKey })
    const apps = [createApp(first.core), createApp(second.core)]
    const send = async (process: 0 | 1, method: string, path: string, body?: string, key?: string) => {
      const response = await apps[process]?.request(`http://gateway/v1/${path}`, {
        method,
        headers: { 'x-vault-token': first.rootToken, ...(key && { 'idempotency-key': key }) },
        ...(body && { body }),
      })
      const text = (await response?.text()) ?? ''
      return { status: response?.status, body: text === '' ? undefined : JSON.parse(text) }
    }
    await send(0, 'POST', 'keymgmt/key/k', '{"type":"aes256-gcm96"}')
    return { first, second, send, file }
  }

  it('an answer of one process is given by the other', async () => {
    const { first, second, send } = await two()
    expect((await send(0, 'POST', 'keymgmt/key/k/rotate', '{}', 'a')).status).toBe(204)
    expect((await send(1, 'POST', 'keymgmt/key/k/rotate', '{}', 'a')).status).toBe(204)
    expect((await send(1, 'POST', 'keymgmt/key/k/rotate', '{"x":1}', 'a')).status).toBe(422)
    expect((await send(1, 'GET', 'keymgmt/key/k')).body.data.latest_version).toBe(2)
    await second.close()
    await first.close()
  })

  it('at the same moment in two processes, one does it and the other is told to wait', async () => {
    const { first, second, send } = await two()
    const statuses: number[] = []
    for (let round = 0; round < 10; round++) {
      const both = [0, 1].map((process) => send(process as 0 | 1, 'POST', 'keymgmt/key/k/rotate', '{}', `r${round}`))
      for (const { status } of await Promise.all(both)) statuses.push(status ?? 0)
    }
    expect(statuses.every((status) => status === 204 || status === 409)).toBe(true)
    expect((await send(1, 'GET', 'keymgmt/key/k')).body.data.latest_version).toBe(11)
    await second.close()
    await first.close()
  })

  it('a process that ended between change and answer: the change stands, and is told', async () => {
    const { first, second, send } = await two()
    // The answer is never kept, as though the process had ended before.
    first.store.idempotency.answer = () => new Promise(() => {})
    void send(0, 'POST', 'keymgmt/key/k/rotate', '{}', 'a')
    await expect.poll(async () => (await send(1, 'GET', 'keymgmt/key/k')).body.data.latest_version).toBe(2)
    expect(await send(1, 'POST', 'keymgmt/key/k/rotate', '{}', 'a')).toEqual({
      status: 409,
      body: { errors: [stillRuns] },
    })
    await first.close()
    // A process is taken for alive for half a second after it was last looked for.
    await expect.poll(async () => (await send(1, 'POST', 'keymgmt/key/k/rotate', '{}', 'a')).status).toBe(200)
    for (const _ of [1, 2]) {
      const again = await send(1, 'POST', 'keymgmt/key/k/rotate', '{}', 'a')
      expect([again.status, again.body.data, again.body.warnings]).toEqual([200, null, [changedBefore]])
    }
    expect((await send(1, 'POST', 'keymgmt/key/k/rotate', '{"x":1}', 'a')).status).toBe(422)
    expect((await send(1, 'GET', 'keymgmt/key/k')).body.data.latest_version).toBe(2)
    await second.close()
  })

  it('a change whose key another process has used meanwhile is undone', async () => {
    const { first, second, send } = await two()
    // This process looked before the other one was done: its row cannot be written, and so neither can its change.
    first.store.idempotency.find = () => undefined
    await send(1, 'POST', 'keymgmt/key/k/rotate', '{}', 'a')
    expect((await send(0, 'POST', 'keymgmt/key/k/rotate', '{}', 'a')).status).toBe(409)
    expect((await send(0, 'GET', 'keymgmt/key/k')).body.data.latest_version).toBe(2)
    await second.close()
    await first.close()
  })

  it('nothing of the request or its answer is in the file in the clear', async () => {
    const { first, second, send, file } = await two()
    await send(0, 'POST', 'keymgmt/key/canary-key', '{"type":"aes256-gcm96","x":"canary-value"}', 'canary-idempotency')
    await second.close()
    await first.close()
    const bytes = readFileSync(file).toString('latin1')
    expect(bytes).toContain('canary-key')
    for (const canary of ['canary-value', 'canary-idempotency']) expect(bytes).not.toContain(canary)
  })
})
