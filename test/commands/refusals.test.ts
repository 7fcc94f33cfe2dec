import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formatRootKey, newRootKey } from '../../src/core/seal/root-key.ts'
import { keyferry, temporaryFolders } from './keyferry.ts'

const folders = temporaryFolders()
let template: string
beforeAll(async () => {
  template = join(folders.make(), 'data')
  expect((await keyferry(['init', '--data', template])).code).toBe(0)
})
afterAll(() => folders.removeAll())

/** A good data folder, of which something is then spoilt. */
function dataFolder(): string {
  const data = join(folders.make(), 'data')
  cpSync(template, data, { recursive: true, mode: 0 })
  chmodSync(data, 0o700)
  return data
}

const serve = (data: string, ...more: string[]) =>
  keyferry(['serve', '--data', data, '--listen', '127.0.0.1:0', ...more])

interface Case {
  name: string
  code: number
  /** Spoils the folder; gives flags to add, and what replaces DATA in the sentence is the folder. */
  spoil: (data: string) => string[] | undefined
  sentence: string | RegExp
}

const cases: Case[] = [
  {
    name: 'no folder',
    code: 78,
    spoil: (data) => void rmSync(data, { recursive: true }),
    sentence: 'the data folder DATA cannot be used: it does not exist. "keyferry init --data DATA" makes one',
  },
  {
    name: 'a file in its place',
    code: 78,
    spoil(data) {
      rmSync(data, { recursive: true })
      writeFileSync(data, '')
      return undefined
    },
    sentence: 'the data folder DATA is not a folder: "keyferry init --data DATA" makes one where nothing is',
  },
  {
    name: 'an empty folder',
    code: 78,
    spoil(data) {
      rmSync(data, { recursive: true })
      mkdirSync(data, { mode: 0o700 })
      return undefined
    },
    sentence: 'the data folder DATA has no keyferry.db: "keyferry init --data DATA" makes one',
  },
  {
    name: 'a folder that others may write to',
    code: 78,
    spoil: (data) => void chmodSync(data, 0o770),
    sentence: 'the data folder DATA is too open: its mode is 0770, and only its owner may write: chmod 700 DATA',
  },
  {
    name: 'a root key that others may read',
    code: 78,
    spoil: (data) => void chmodSync(join(data, 'root.key'), 0o640),
    sentence:
      'the root key file DATA/root.key is too open: its mode is 0640, and only its owner may read it: chmod 600 DATA/root.key',
  },
  {
    name: 'no root key',
    code: 78,
    spoil: (data) => void rmSync(join(data, 'root.key')),
    sentence: 'the root key DATA/root.key cannot be read: it does not exist',
  },
  {
    name: 'a damaged root key',
    code: 78,
    spoil: (data) => void truncateSync(join(data, 'root.key'), 30),
    sentence: 'DATA/root.key holds no root key: one line "keyferry-root-key:" and 32 bytes in base64 are wanted',
  },
  {
    name: 'another root key',
    code: 65,
    spoil: (data) => void writeFileSync(join(data, 'root.key'), formatRootKey(newRootKey())),
    sentence: /^the root key is not the one of this database: it has id [0-9a-f]{32}, the database wants [0-9a-f]{32}$/,
  },
  {
    name: 'a database that is none',
    code: 65,
    spoil: (data) => void writeFileSync(join(data, 'keyferry.db'), 'this was never a database, '.repeat(1000)),
    sentence: /DATA\/keyferry\.db/,
  },
  {
    name: 'an empty database',
    code: 69,
    spoil: (data) => void truncateSync(join(data, 'keyferry.db'), 0),
    sentence: 'the database was never initialised: run "keyferry init" first',
  },
  {
    name: 'a database of a newer version',
    code: 69,
    spoil(data) {
      const database = new Sqlite(join(data, 'keyferry.db'))
      database.prepare(`INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('later', ?)`).run(9e15)
      database.close()
      return undefined
    },
    sentence: 'the database DATA/keyferry.db was written by a newer keyferry than this one: run that one',
  },
  {
    name: 'a folder of dev mode',
    code: 78,
    spoil: (data) => void writeFileSync(join(data, 'dev.json'), '{}'),
    sentence:
      'DATA is a folder of "keyferry dev", whose root token may be anything: make one for "keyferry serve" with "keyferry init"',
  },
  {
    name: 'a certificate without its key',
    code: 78,
    spoil: (data) => ['--tls-cert', join(data, 'root.key')],
    sentence: '--tls-cert and --tls-key go together: --tls-key is missing',
  },
  {
    name: 'a certificate that is none',
    code: 78,
    spoil: (data) => ['--tls-cert', join(data, 'root.key'), '--tls-key', join(data, 'root.key')],
    sentence:
      'the certificate DATA/root.key and the private key DATA/root.key cannot be used together: both must be PEM, and a pair',
  },
  {
    name: 'a certificate that is not there',
    code: 78,
    spoil: (data) => ['--tls-cert', join(data, 'none.pem'), '--tls-key', join(data, 'none.pem')],
    sentence: 'the certificate DATA/none.pem cannot be read: it does not exist',
  },
  {
    name: 'a configuration with an unknown setting',
    code: 78,
    spoil(data) {
      writeFileSync(join(data, 'config.json'), '{"lissten": "127.0.0.1:1"}')
      return ['--config', join(data, 'config.json')]
    },
    sentence: /^DATA\/config\.json:1: lissten is no setting \(did you mean "listen"\?\)/,
  },
  {
    name: 'a cloud that cannot be',
    code: 78,
    spoil(data) {
      writeFileSync(join(data, 'config.json'), '{"azure": {"clouds": {"Mine": {"vaultSuffix": "vault.test"}}}}')
      return ['--config', join(data, 'config.json')]
    },
    sentence:
      'DATA/config.json:1: azure.clouds.Mine: the configuration of the cloud Mine is not valid: authorityHost must be an https URL without a path',
  },
  {
    name: 'an address of nobody here',
    code: 69,
    spoil: () => ['--listen=192.0.2.1:0'],
    sentence: 'cannot listen on 192.0.2.1:0: this machine does not have the address',
  },
]

describe('serve refuses to start, in one sentence that says what to do', () => {
  test.concurrent.each(cases)('$name', async ({ code, spoil, sentence }) => {
    const data = dataFolder()
    const more = spoil(data) ?? []
    const listen = more.some((flag) => flag.startsWith('--listen')) ? [] : ['--listen', '127.0.0.1:0']
    const ended = await keyferry(['serve', '--data', data, ...listen, ...more])
    expect(ended.stdout).toBe('')
    const said = ended.stderr.replaceAll(data, 'DATA')
    expect(said).toMatch(/^keyferry: [^\n]+\n$/)
    if (typeof sentence === 'string') expect(said).toBe(`keyferry: ${sentence}\n`)
    else expect(said.slice('keyferry: '.length, -1)).toMatch(sentence)
    expect(ended.code).toBe(code)
    expect(said).not.toContain(readFileSync(join(template, 'root.key'), 'utf8').trim())
  })

  test('a port in use', async () => {
    const taken = createServer()
    await new Promise<void>((listening) => taken.listen(0, '127.0.0.1', listening))
    const address = taken.address()
    const port = typeof address === 'object' ? address?.port : 0
    try {
      const sentence = `cannot listen on 127.0.0.1:${port}: the port is in use by another program. Stop that one, or choose another port with --listen HOST:PORT`
      const wanted = { code: 69, stdout: '', stderr: `keyferry: ${sentence}\n` }
      const listen = `127.0.0.1:${port}`
      const [served, dev, emulator] = await Promise.all([
        keyferry(['serve', '--data', dataFolder(), '--listen', listen]),
        keyferry(['dev', '--listen', listen]),
        keyferry(['emulator', 'azurekeyvault', '--listen', listen]),
      ])
      expect(served).toMatchObject(wanted)
      expect(dev).toMatchObject(wanted)
      expect(emulator).toMatchObject({ code: 69, stdout: '' })
      expect(emulator.stderr).toMatch(
        /^keyferry: cannot listen EADDRINUSE.*choose another address with --listen HOST:PORT\n$/,
      )
    } finally {
      taken.close()
    }
  })

  test('a database that another process holds locked', async () => {
    const data = dataFolder()
    const holder = new Sqlite(join(data, 'keyferry.db'))
    holder.pragma('locking_mode = EXCLUSIVE')
    holder.exec('BEGIN EXCLUSIVE')
    try {
      const { code, stderr } = await serve(data)
      expect(stderr.replaceAll(data, 'DATA')).toBe(
        'keyferry: the database DATA/keyferry.db: another process holds it locked\n',
      )
      expect(code).toBe(69)
    } finally {
      holder.close()
    }
  })
})

describe('init never touches what is there', () => {
  test.concurrent.each([
    [
      'a data folder',
      (_: string) => {},
      'DATA is a data folder already: nothing was changed. Choose another, or go on with this one',
    ],
    [
      'a root key without a database',
      (data: string) => rmSync(join(data, 'keyferry.db')),
      'DATA has a root.key but no keyferry.db: nothing was changed. Put the database back, or choose another folder',
    ],
    [
      'anything else',
      (data: string) => {
        rmSync(join(data, 'keyferry.db'))
        rmSync(join(data, 'root.key'))
        writeFileSync(join(data, 'notes.txt'), '')
      },
      'DATA is not empty: nothing was changed. Choose a folder of its own',
    ],
    [
      'a file',
      (data: string) => {
        rmSync(data, { recursive: true })
        writeFileSync(data, '')
      },
      'the data folder DATA cannot be made: a part of the path is not a folder',
    ],
  ])('%s', async (_, spoil, sentence) => {
    const data = dataFolder()
    spoil(data)
    const { code, stdout, stderr } = await keyferry(['init', '--data', data])
    expect([code, stdout, stderr.replaceAll(data, 'DATA')]).toEqual([73, '', `keyferry: ${sentence}\n`])
  })
})

describe('dev refuses too', () => {
  test('a data folder of serve', async () => {
    const data = dataFolder()
    expect(await keyferry(['dev', '--data', data, '--listen', '127.0.0.1:0'])).toMatchObject({
      code: 78,
      stdout: '',
      stderr: `keyferry: ${data} is a data folder of "keyferry serve": dev mode, with its root token of any kind, stays away from it. Choose another folder\n`,
    })
  })

  test('an env file that cannot be written', async () => {
    const folder = folders.make()
    const file = join(folder, 'none', 'dev.env')
    expect(await keyferry(['dev', '--env-file', file, '--listen', '127.0.0.1:0'])).toMatchObject({
      code: 73,
      stderr: `keyferry: --env-file ${file} cannot be written: it does not exist\n`,
    })
    expect(await keyferry(['dev', '--env-file', folder, '--listen', '127.0.0.1:0'])).toMatchObject({
      code: 73,
      stderr: `keyferry: --env-file ${folder} cannot be written: it is there and is no plain file\n`,
    })
  })

  test('a token that cannot be', async () => {
    expect(await keyferry(['dev', '--dev-root-token-id', 'two words', '--listen', '127.0.0.1:0'])).toMatchObject({
      code: 78,
      stderr: 'keyferry: the dev root token is not possible: allowed are 1 to 1024 visible ASCII characters\n',
    })
  })
})
