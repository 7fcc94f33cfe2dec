import { expect, test } from 'vitest'

test('tests run on a Node that runs TypeScript itself: 24 or newer', () => {
  expect(Number(/^v(\d+)\./.exec(process.version)?.[1])).toBeGreaterThanOrEqual(24)
  expect(process.features.typescript).toBe('strip')
})
