import { expect, test } from 'vitest'
import { onNode } from './commands.ts'
import { endToEnd } from './end-to-end.ts'

test('from source, on Node', async () => {
  expect(await endToEnd(onNode)).toBeGreaterThan(50)
})
