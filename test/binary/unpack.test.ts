import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { loadAddon, unpackingPlaces } from '../../src/binary/unpack.ts'
import { KeyferryError } from '../../src/core/errors.ts'
import { temporaryFolders } from '../commands/keyferry.ts'

const folders = temporaryFolders()
afterAll(() => folders.removeAll())

const bytes = Buffer.from('not a program')
const packed = { bytes, sha256: createHash('sha256').update(bytes).digest('hex') }

let place: string
beforeEach(() => {
  place = folders.make()
})

describe('where an addon may be unpacked', () => {
  test('beside the database first, then systemd, then the places for temporary files', () => {
    const environment = { RUNTIME_DIRECTORY: '/run/one:/run/two', TMPDIR: '/big/tmp' }
    const wanted = ['/data', '/run/one', '/run/two', '/big/tmp', '/tmp', '/dev/shm']
    expect(unpackingPlaces('/data', environment)).toEqual(wanted)
  })

  test('each once, and nothing where a variable is missing or empty', () => {
    expect(unpackingPlaces('/tmp', { TMPDIR: '', RUNTIME_DIRECTORY: '' })).toEqual(['/tmp', '/dev/shm'])
  })
})

describe('an addon', () => {
  test('is loaded from a private folder, and gone afterwards', () => {
    const load = (file: string) => {
      const [folder, itself] = [statSync(dirname(file)), statSync(file)].map(({ mode }) => (mode & 0o777).toString(8))
      return { folder, itself, text: readFileSync(file, 'utf8') }
    }
    expect(loadAddon(packed, { places: [place], load })).toEqual({
      folder: '700',
      itself: '500',
      text: 'not a program',
    })
    expect(readdirSync(place)).toEqual([])
  })

  test('that is the real one works when its file is gone', () => {
    const file = join(
      dirname(createRequire(import.meta.url).resolve('better-sqlite3/package.json')),
      `prebuilds/${process.platform}-${process.arch}.node`,
    )
    const real = readFileSync(file)
    const sha256 = createHash('sha256').update(real).digest('hex')
    expect(loadAddon({ bytes: real, sha256 }, { places: [place] })).toHaveProperty('Database')
    expect(readdirSync(place)).toEqual([])
  })

  test('goes to the next place where one cannot be written, or may not hold programs', () => {
    const file = join(place, 'file')
    writeFileSync(file, '')
    const noexec = join(place, 'noexec')
    const good = join(place, 'good')
    for (const folder of [noexec, good]) mkdirSync(folder)
    const load = (path: string) => {
      if (path.startsWith(noexec)) throw new Error(`${path}: failed to map segment from shared object`)
      return { path }
    }
    const { path } = loadAddon(packed, { places: [join(place, 'missing'), file, noexec, good], load }) as {
      path: string
    }
    expect(path.startsWith(good)).toBe(true)
    expect([readdirSync(noexec), readdirSync(good)]).toEqual([[], []])
  })

  test('that no place takes is one sentence that names each and why', () => {
    const file = join(place, 'file')
    writeFileSync(file, '')
    const load = () => {
      throw new Error('libstdc++.so.6: cannot open shared object file')
    }
    const places = [join(place, 'missing'), file, place]
    expect(() => loadAddon(packed, { places, load })).toThrow(
      new KeyferryError(
        'invalid',
        `SQLite must be unpacked into a folder that can be written and may hold programs, and there is none: tried ${place}/missing (does not exist), ${file} (is no folder), ${place} (libstdc++.so.6: cannot open shared object file). Set TMPDIR to one that is not mounted "noexec"`,
      ),
    )
  })

  test('that is not the one that was built is never loaded', () => {
    let loaded = false
    const load = () => {
      loaded = true
      return {}
    }
    const other = { bytes: Buffer.from('another program'), sha256: packed.sha256 }
    const places = [place, join(place, 'next')]
    expect(() => loadAddon(other, { places, load })).toThrow(expect.objectContaining({ code: 'corrupt' }))
    expect([loaded, existsSync(join(place, 'next')), readdirSync(place)]).toEqual([false, false, []])
  })
})
