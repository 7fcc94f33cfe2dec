import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { collectStart } from '../../../src/serve/node/collect-start.ts'

/** Something that nothing holds: alive until the next collection. */
function garbage(): WeakRef<object> {
  return new WeakRef({ left: 'behind' })
}

it('collects what nothing holds, once', async () => {
  const ref = garbage()
  collectStart(0)
  await sleep(50)
  expect(ref.deref()).toBeUndefined()
})

it('can be called off', async () => {
  const ref = garbage()
  const callOff = collectStart(1)
  callOff()
  await sleep(50)
  expect(ref.deref()).toEqual({ left: 'behind' })
})
