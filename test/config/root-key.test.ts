import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { rootKeySource, unsealing } from '../../src/config/root-key.ts'
import { formatRootKey, newRootKey } from '../../src/core/seal/root-key.ts'
import { unseal } from '../../src/core/seal/unsealing.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keyferry-root-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function keyFile(path: string, mode = 0o600): string {
  const key = newRootKey()
  writeFileSync(path, formatRootKey(key))
  chmodSync(path, mode)
  return key.id
}

const read = (options: { file?: string; environment?: Record<string, string> } = {}) =>
  rootKeySource({ file: options.file, dataFolder: folder, environment: options.environment ?? {} }).read()

test('the first place that has one counts: the named file, the variable, the credential, the data folder', () => {
  const inFolder = keyFile(join(folder, 'root.key'))
  mkdirSync(join(folder, 'credentials'))
  const CREDENTIALS_DIRECTORY = join(folder, 'credentials')
  expect(read({ environment: { CREDENTIALS_DIRECTORY } }).id).toBe(inFolder)
  const credential = keyFile(join(folder, 'credentials', 'keyferry-root-key'), 0o440)
  expect(read({ environment: { CREDENTIALS_DIRECTORY } }).id).toBe(credential)
  const other = newRootKey()
  const environment = { CREDENTIALS_DIRECTORY, KEYFERRY_ROOT_KEY: formatRootKey(other).trim() }
  expect(read({ environment }).id).toBe(other.id)
  const named = keyFile(join(folder, 'named.key'), 0o400)
  expect(read({ environment, file: join(folder, 'named.key') }).id).toBe(named)
})

test.each([0o640, 0o604, 0o660, 0o644, 0o610])('a file of mode %o is too open', (mode) => {
  const path = join(folder, 'root.key')
  keyFile(path, mode)
  expect(() => read()).toThrow(
    `the root key file ${path} is too open: its mode is 0${mode.toString(8)}, and only its owner may read it: chmod 600 ${path}`,
  )
})

test('what a link leads to is judged, not the link', () => {
  keyFile(join(folder, 'real.key'), 0o644)
  symlinkSync(join(folder, 'real.key'), join(folder, 'root.key'))
  expect(() => read()).toThrow('its mode is 0644')
})

test('a file of another user is refused', (context) => {
  if (process.geteuid?.() !== 0) return context.skip('only root can give a file to another user')
  const path = join(folder, 'root.key')
  keyFile(path)
  chownSync(path, 12345, 12345)
  expect(() => read()).toThrow(
    `the root key file ${path} belongs to another user (uid 12345), who could read and replace it: it must belong to uid 0`,
  )
})

test('one that is missing, a folder, or no key is named, and its text is not repeated', () => {
  const path = join(folder, 'root.key')
  expect(() => read()).toThrow(`the root key ${path} cannot be read: it does not exist`)
  mkdirSync(path, 0o700)
  expect(() => read()).toThrow(`the root key ${path} cannot be read: it is a folder`)
  expect(() => read({ environment: { KEYFERRY_ROOT_KEY: 'hunter2' } })).toThrow(
    'KEYFERRY_ROOT_KEY holds no root key: one line "keyferry-root-key:" and 32 bytes in base64 are wanted',
  )
})

test('the previous one is looked for in the same places, wherever the present one is', async () => {
  const present = keyFile(join(folder, 'root.key'))
  const previous = async (options: { previousFile?: string; environment?: Record<string, string> } = {}) => {
    const places = { file: undefined, dataFolder: folder, environment: {}, ...options }
    const roots = await unseal(unsealing(places))
    expect(roots.current.id).toBe(present)
    return roots.previous?.id
  }
  expect(await previous()).toBeUndefined()
  const inFolder = keyFile(join(folder, 'root.key-previous'))
  expect(await previous()).toBe(inFolder)
  mkdirSync(join(folder, 'credentials'))
  const CREDENTIALS_DIRECTORY = join(folder, 'credentials')
  expect(await previous({ environment: { CREDENTIALS_DIRECTORY } })).toBe(inFolder)
  const credential = keyFile(join(folder, 'credentials', 'keyferry-root-key-previous'), 0o440)
  expect(await previous({ environment: { CREDENTIALS_DIRECTORY } })).toBe(credential)
  const other = newRootKey()
  const environment = { CREDENTIALS_DIRECTORY, KEYFERRY_ROOT_KEY_PREVIOUS: formatRootKey(other).trim() }
  expect(await previous({ environment })).toBe(other.id)
  const named = keyFile(join(folder, 'named.key'), 0o400)
  expect(await previous({ environment, previousFile: join(folder, 'named.key') })).toBe(named)
  chmodSync(join(folder, 'root.key-previous'), 0o644)
  await expect(previous()).rejects.toThrow('root.key-previous is too open: its mode is 0644')
})

test('without a data folder there is no place of its own', () => {
  expect(() => rootKeySource({ file: undefined, dataFolder: undefined, environment: {} })).toThrow(
    'there is no root key: give it with --root-key-file, KEYFERRY_ROOT_KEY or the credential keyferry-root-key',
  )
})
