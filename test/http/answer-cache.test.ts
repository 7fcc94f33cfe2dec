import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { AnswerCache } from '../../src/http/answer-cache.ts'
import { createApp } from '../../src/http/app.ts'
import { testCore } from '../support/gateway.ts'
import { gateway } from './gateway.ts'

describe('AnswerCache', () => {
  it('gives what it was given, under the same stamp only', () => {
    const cache = new AnswerCache(10, 1000)
    cache.set('k', 1, 'one')
    expect(cache.get('k', 1)?.tail).toBe('one')
    expect(cache.get('other', 1)).toBeUndefined()
    expect(cache.get('k', 2)).toBeUndefined()
    expect(cache.get('k', 1)).toBeUndefined()
  })

  it('forgets the least recently used when there are too many', () => {
    const cache = new AnswerCache(2, 1000)
    cache.set('a', 1, 'A')
    cache.set('b', 1, 'B')
    cache.get('a', 1)
    cache.set('c', 1, 'C')
    expect(['a', 'b', 'c'].map((key) => cache.get(key, 1)?.tail)).toEqual(['A', undefined, 'C'])
  })

  it('forgets when they are too long, counting what was replaced and dropped', () => {
    const cache = new AnswerCache(100, 40)
    for (let round = 0; round < 50; round++) cache.set('a', round, '123456789')
    cache.set('b', 1, '123456789')
    cache.get('b', 2)
    cache.set('c', 1, '123456789')
    cache.set('d', 1, '123456789')
    expect(['a', 'b', 'c', 'd'].map((key) => cache.get(key, key === 'a' ? 49 : 1) !== undefined)).toEqual([
      true,
      false,
      true,
      true,
    ])
    cache.set('e', 1, '123456789')
    expect(cache.get('a', 49)?.tail).toBe('123456789')
    cache.set('f', 1, '123456789')
    expect(cache.get('c', 1)).toBeUndefined()
  })

  it('does not keep what is a quarter of it or more', () => {
    const cache = new AnswerCache(100, 40)
    cache.set('a', 1, '1234567890')
    expect(cache.get('a', 1)).toBeUndefined()
  })
})

describe('answers that are kept', () => {
  it('are computed once, until something in their mount changes', async () => {
    const vault = await gateway()
    try {
      let reads = 0
      const read = vault.core.keys.read.bind(vault.core.keys)
      vault.core.keys.read = async (scope, name) => {
        reads += 1
        return await read(scope, name)
      }
      await vault.send('PUT', 'keymgmt/key/k', { type: 'ecdsa-p256' })
      for (let time = 0; time < 3; time++) await vault.send('GET', 'keymgmt/key/k')
      expect(reads).toBe(1)
      await vault.send('PUT', 'keymgmt/key/k/rotate')
      const { data } = JSON.parse((await vault.send('GET', 'keymgmt/key/k')).text)
      expect([reads, data.latest_version]).toEqual([2, 2])
      expect((await vault.send('GET', 'keymgmt/key/k', undefined, { 'x-vault-token': 'wrong' })).status).toBe(403)
    } finally {
      await vault.close()
    }
  })

  it('of one mount are not given for another one at the same path', async () => {
    const vault = await gateway()
    try {
      await vault.send('POST', 'sys/mounts/m', { type: 'keymgmt' })
      await vault.send('PUT', 'm/key/k', { type: 'aes256-gcm96' })
      expect((await vault.send('GET', 'm/key/k')).status).toBe(200)
      await vault.send('DELETE', 'sys/mounts/m')
      await vault.send('POST', 'sys/mounts/m', { type: 'keymgmt' })
      expect((await vault.send('GET', 'm/key/k')).status).toBe(404)
    } finally {
      await vault.close()
    }
  })

  it('are dropped when another process changes the database', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'keyferry-'))
    const file = join(folder, 'keyferry.db')
    const first = await testCore({ file })
    const second = await testCore({ file, rootKey: first.rootKey })
    try {
      const apps = [createApp(first.core), createApp(second.core)]
      const send = async (process: number, method: string, path: string, body?: string) => {
        const headers = { 'x-vault-token': first.rootToken }
        const response = await apps[process]?.request(`http://gateway/v1/${path}`, {
          method,
          headers,
          ...(body && { body }),
        })
        return response?.status === 200 ? JSON.parse(await response.text()).data : response?.status
      }
      await send(0, 'PUT', 'keymgmt/key/k', '{"type":"ecdsa-p256"}')
      expect((await send(1, 'GET', 'keymgmt/key/k')).latest_version).toBe(1)
      expect((await send(1, 'LIST', 'keymgmt/key')).keys).toEqual(['k'])
      await send(0, 'PUT', 'keymgmt/key/k/rotate')
      await send(0, 'PUT', 'keymgmt/key/l', '{"type":"ecdsa-p256"}')
      expect((await send(1, 'GET', 'keymgmt/key/k')).latest_version).toBe(2)
      expect((await send(1, 'LIST', 'keymgmt/key')).keys).toEqual(['k', 'l'])
    } finally {
      await second.close()
      await first.close()
      rmSync(folder, { recursive: true })
    }
  })
})
