import { expect, test } from 'vitest'
import { didYouMean, nearest } from '../../src/config/nearest.ts'

test.each([
  ['sevre', 'serve'],
  ['serv', 'serve'],
  ['DATA', 'data'],
  ['emulatr', 'emulator'],
  ['x', undefined],
  ['completely-different', undefined],
  ['', undefined],
])('%j is nearest to %j', (word, wanted) => {
  expect(nearest(word, ['dev', 'init', 'serve', 'emulator', 'data'])).toBe(wanted)
})

test('the nearer of two wins', () => {
  expect(nearest('listen', ['lister', 'listen-on', 'listen'])).toBe('listen')
})

test('a hint, or nothing', () => {
  expect(didYouMean('sevre', ['serve'])).toBe(' (did you mean "serve"?)')
  expect(didYouMean('zzzzz', ['serve'])).toBe('')
})
