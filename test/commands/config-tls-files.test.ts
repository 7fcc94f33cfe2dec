import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { readTls, type TlsFiles, TlsReloader, type TlsReloadOptions, tlsFiles } from '../../src/commands/tls-files.ts'
import { KeyferryError } from '../../src/core/errors.ts'
import { createThrowAwayAuthority } from '../../src/emulator/azurekeyvault/tls.ts'
import type { Tls } from '../../src/serve/tls.ts'
import { temporaryFolders } from './keyferry.ts'

const folders = temporaryFolders()
const pairs: Tls[] = []
beforeAll(async () => {
  const authority = await createThrowAwayAuthority()
  for (let count = 0; count < 3; count++) pairs.push(await authority.issue(['localhost']))
})
afterAll(() => folders.removeAll())

const pair = (index: number): Tls => pairs[index] ?? { cert: '', key: '' }

describe('the files of a certificate', () => {
  test.each([
    [{}, undefined],
    [
      { cert: 'c', key: 'k' },
      { cert: 'c', key: 'k', minVersion: 'TLSv1.2' },
    ],
  ])('%j', (settings, files) => {
    expect(tlsFiles({ minVersion: 'TLSv1.2', ...settings })).toEqual(files)
  })

  test('come in a pair', () => {
    const together = '--tls-cert and --tls-key go together:'
    expect(() => tlsFiles({ minVersion: 'TLSv1.2', cert: 'c' })).toThrow(`${together} --tls-key is missing`)
    expect(() => tlsFiles({ minVersion: 'TLSv1.2', key: 'c' })).toThrow(`${together} --tls-cert is missing`)
  })
})

describe('a certificate that is replaced', () => {
  let files: TlsFiles
  let reloader: TlsReloader
  let used: Tls[]
  let logged: string[]
  afterEach(() => reloader.stop())

  const put = (folder: string, { cert, key }: Tls) => {
    writeFileSync(join(folder, 'tls.crt'), cert)
    writeFileSync(join(folder, 'tls.key'), key)
  }

  /** As little time as possible between two looks. */
  const begin = (folder: string, options: Partial<TlsReloadOptions> = {}) => {
    files = { cert: join(folder, 'tls.crt'), key: join(folder, 'tls.key'), minVersion: 'TLSv1.3' }
    used = []
    logged = []
    reloader = new TlsReloader({
      files,
      present: readTls(files),
      replace: async (tls) => void used.push(tls),
      log: (level, message, { reason } = {}) => void logged.push(`${level}: ${message}${reason ? `: ${reason}` : ''}`),
      everyMs: 5,
      restMs: 5,
      ...options,
    })
  }
  const inUse = (index: number) =>
    vi.waitFor(() => expect(used.at(-1)).toEqual({ ...pair(index), minVersion: 'TLSv1.3' }), { timeout: 20_000 })
  const done = 'info: the TLS certificate was replaced'
  const kept = 'error: the TLS certificate was not replaced, and the one before stays in use'

  test('in place, by a rename, or by a link to another folder is taken', async () => {
    const [folder, first, second] = [folders.make(), folders.make(), folders.make()]
    put(first, pair(0))
    put(second, pair(1))
    // As Kubernetes has it: tls.crt -> ..data/tls.crt, and ..data is a link that is swapped.
    symlinkSync(first, join(folder, '..data'))
    for (const name of ['tls.crt', 'tls.key']) symlinkSync(join('..data', name), join(folder, name))
    begin(folder)
    symlinkSync(second, join(folder, '..next'))
    renameSync(join(folder, '..next'), join(folder, '..data'))
    await inUse(1)
    put(second, pair(2))
    await inUse(2)
    for (const [name, text] of Object.entries({ 'tls.crt': pair(0).cert, 'tls.key': pair(0).key })) {
      writeFileSync(join(second, `${name}.new`), text)
      renameSync(join(second, `${name}.new`), join(second, name))
    }
    await inUse(0)
    expect(logged.filter((line) => line === done).length).toBeGreaterThanOrEqual(3)
  })

  test('is not taken twice, and not for a touch', async () => {
    const folder = folders.make()
    put(folder, pair(0))
    begin(folder)
    put(folder, pair(0))
    await reloader.reload()
    await new Promise((resolve) => setTimeout(resolve, 60))
    put(folder, pair(0))
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect([used, logged]).toEqual([[], []])
  })

  test('by SIGHUP is taken at once, and once', async () => {
    const folder = folders.make()
    put(folder, pair(0))
    begin(folder, { everyMs: 3_600_000 })
    put(folder, pair(1))
    await Promise.all([reloader.reload(), reloader.reload()])
    expect(used).toEqual([{ ...pair(1), minVersion: 'TLSv1.3' }])
    await reloader.reload()
    expect([used.length, logged]).toEqual([1, [done]])
  })

  test('by what cannot be used is said once, and the one before stays until there is a good one', async () => {
    const folder = folders.make()
    put(folder, pair(0))
    const together = () =>
      `the certificate ${files.cert} and the private key ${files.key} cannot be used together: both must be PEM, and a pair`
    const spoilt: [() => void, () => string][] = [
      [() => writeFileSync(files.key, pair(1).key), together],
      [() => writeFileSync(files.cert, 'this is no certificate'), together],
      [() => rmSync(files.cert), () => `the certificate ${files.cert} cannot be read: it does not exist`],
      [() => mkdirSync(files.cert), () => `the certificate ${files.cert} cannot be read: it is a folder`],
      [
        () => {
          rmSync(files.cert, { recursive: true })
          execFileSync('mkfifo', [files.cert])
        },
        () => `the certificate ${files.cert} is a pipe or a device, which is read at a start only`,
      ],
      [
        () => {
          rmSync(files.cert)
          symlinkSync('/dev/zero', files.cert)
        },
        () => `the certificate ${files.cert} is a pipe or a device, which is read at a start only`,
      ],
    ]
    begin(folder)
    for (const [spoil, reason] of spoilt) {
      logged.length = 0
      spoil()
      await vi.waitFor(() => expect(logged.at(-1)).toBe(`${kept}: ${reason()}`), { timeout: 20_000 })
      await new Promise((resolve) => setTimeout(resolve, 40))
      expect(logged).toHaveLength(1)
    }
    expect(used).toEqual([])
    rmSync(files.cert, { recursive: true })
    put(folder, pair(1))
    await inUse(1)
    expect(logged.at(-1)).toBe(done)
  })

  test.skipIf(process.getuid?.() === 0)('by one that may not be read is said too', async () => {
    const folder = folders.make()
    put(folder, pair(0))
    begin(folder)
    chmodSync(files.key, 0o000)
    const reason = `the private key ${files.key} cannot be read: this user has no permission`
    await vi.waitFor(() => expect(logged.at(-1)).toBe(`${kept}: ${reason}`), { timeout: 20_000 })
  })

  test('and takes the port with it is said, and tried again until there is one, also with the pair of before', async () => {
    const folder = folders.make()
    put(folder, pair(0))
    const tried: string[] = []
    const replace = async ({ cert }: Tls) => {
      tried.push(cert)
      if (cert === pair(1).cert) throw new KeyferryError('unavailable', 'cannot listen on localhost:8200: it is in use')
    }
    begin(folder, { replace })
    put(folder, pair(1))
    await vi.waitFor(() => expect(tried.length).toBeGreaterThan(2), { timeout: 20_000 })
    // Meanwhile the files are no pair: that the port is lost is said all the same.
    const lost = 'error: the TLS certificate was not replaced, and the port was lost: it is tried for again and again'
    writeFileSync(files.key, pair(2).key)
    await vi.waitFor(() => expect(logged.at(-1)).toMatch(/must be PEM, and a pair$/), { timeout: 20_000 })
    expect(logged.every((line) => line.startsWith(lost))).toBe(true)
    put(folder, pair(0))
    await vi.waitFor(() => expect(logged.at(-1)).toBe(done), { timeout: 20_000 })
    expect(logged[0]).toBe(`${lost}: cannot listen on localhost:8200: it is in use`)
    expect(tried.at(-1)).toBe(pair(0).cert)
  })

  test('after a stop is left alone', async () => {
    const folder = folders.make()
    put(folder, pair(0))
    begin(folder)
    reloader.stop()
    put(folder, pair(1))
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect([used, logged]).toEqual([[], []])
  })
})
