import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { collectStart } from '../../../src/serve/node/collect-start.ts'

/** Something that nothing holds: alive until the next collection. */
function garbage(): WeakRef<object> {
  return new WeakRef({ left: 'behind' })
}

it('collects what nothing holds, once there is nothing to do', async () => {
  const ref = garbage()
  const callOff = collectStart(200)
  // Not the thing itself, which the failed assertion would hold.
  await expect.poll(() => ref.deref() === undefined, { interval: 450, timeout: 20_000 }).toBe(true)
  callOff()
})

it('can be called off', async () => {
  const ref = garbage()
  const callOff = collectStart(1)
  callOff()
  await sleep(50)
  expect(ref.deref()).toEqual({ left: 'behind' })
})
