import { expect, it } from 'vitest'
import { KeyedLock } from '../../../src/providers/azurekeyvault/keyed-lock.ts'

it('runs the work of one key one after another, and of others beside it', async () => {
  const lock = new KeyedLock()
  const seen: string[] = []
  const gates = new Map<string, () => void>()
  const work = (name: string) => async () => {
    seen.push(`${name} begins`)
    await new Promise<void>((resolve) => gates.set(name, resolve))
    seen.push(`${name} ends`)
    return name
  }
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  const all = [lock.run('a', work('a1')), lock.run('a', work('a2')), lock.run('b', work('b1'))]
  await turn()
  expect(seen).toEqual(['a1 begins', 'b1 begins'])
  gates.get('a1')?.()
  await turn()
  expect(seen).toEqual(['a1 begins', 'b1 begins', 'a1 ends', 'a2 begins'])
  gates.get('a2')?.()
  gates.get('b1')?.()
  expect(await Promise.all(all)).toEqual(['a1', 'a2', 'b1'])
})

it('goes on after a failure, which only its own caller sees', async () => {
  const lock = new KeyedLock()
  const failing = lock.run('a', () => Promise.reject(new Error('no')))
  const next = lock.run('a', async () => 'yes')
  await expect(failing).rejects.toThrow('no')
  expect(await next).toBe('yes')
})
