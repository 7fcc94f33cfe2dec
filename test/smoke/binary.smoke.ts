import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryFolders } from '../commands/keyferry.ts'
import { binary, repository } from './commands.ts'
import { endToEnd } from './end-to-end.ts'
import { Served } from './served.ts'

const folders = temporaryFolders()
/** A folder with nothing in it, and an environment with nothing in it: no Node, no node_modules, no sources within reach. */
let cwd: string
let program: string
const env = { PATH: '' }

beforeAll(() => {
  cwd = folders.make()
  program = join(folders.make(), 'keyferry')
  copyFileSync(binary, program)
})
afterAll(() => folders.removeAll())

const keyferry = (...args: string[]) => spawnSync(program, args, { cwd, env, encoding: 'utf8' })

function init(): { data: string; token: string } {
  const data = join(folders.make(), 'data')
  const { stdout, stderr } = keyferry('init', '--data', data, '--format', 'json')
  expect(stderr).toBe('')
  return { data, token: (JSON.parse(stdout) as { root_token: string }).root_token }
}

describe('the binary, alone in an empty folder with an empty PATH', () => {
  test('does all that the sources do', async () => {
    expect(await endToEnd([program], { cwd, env })).toBeGreaterThan(50)
    expect(readdirSync(cwd)).toEqual([])
  })

  test('plays the whole demo, with the Azure SDK on the other side', () => {
    const demo = join(repository, 'demo/demo.ts')
    const { status, stdout, stderr } = spawnSync(process.execPath, [demo, program], { cwd, env, encoding: 'utf8' })
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/All of it held/)
  })

  test('init, serve, doctor, backup, and nothing unpacked is left behind', async () => {
    const { data, token } = init()
    const gateway = await Served.start([program, 'serve', '--data', data, '--listen', '127.0.0.1:0'], { cwd, env })
    expect(await gateway.send(token, 'POST', 'keymgmt/key/orders', { type: 'rsa-4096' })).toBe(204)
    expect(readdirSync(data).filter((name) => name.startsWith('.'))).toEqual([])
    expect(keyferry('doctor', '--data', data).status).toBe(0)
    expect(keyferry('backup', '--data', data, '--out', join(data, '../kept.backup')).status).toBe(0)
    expect(await gateway.stop()).toBe(0)
    expect(readdirSync(data).sort()).toEqual(['keyferry.db', 'root.key'])
  })

  test('the emulator alone', async () => {
    const args = [program, 'emulator', 'azurekeyvault', '--listen', '127.0.0.1:0']
    const emulator = await Served.start(args, { cwd, env }, /EMULATOR_URL='(.+)'/)
    expect(await emulator.stop()).toBe(0)
  })

  test('takes nothing from NODE_OPTIONS, and opens no debugger', () => {
    const options = { cwd, env: { NODE_OPTIONS: '--require=/nowhere.cjs' }, encoding: 'utf8' } as const
    expect(spawnSync(program, ['--version'], options)).toMatchObject({ status: 0, stderr: '' })
  })

  test('ends with the exit codes of the sources', () => {
    expect(keyferry('serve', '--data', join(cwd, 'nothing')).status).toBe(78)
    expect(keyferry('srve')).toMatchObject({ status: 64, stderr: expect.stringContaining('did you mean "serve"?') })
  })
})

describe('what comes with it', () => {
  test('is at most 130 MB', () => {
    expect(statSync(binary).size).toBeLessThanOrEqual(130_000_000)
  })

  test('the SHA-256, in the form that sha256sum checks', () => {
    const digest = createHash('sha256').update(readFileSync(binary)).digest('hex')
    expect(readFileSync(`${binary}.sha256`, 'utf8')).toBe(`${digest}  keyferry\n`)
  })

  test('a bill of materials with every package that runs, and a licence for each', () => {
    const bill = JSON.parse(readFileSync(`${binary}.cdx.json`, 'utf8')) as {
      bomFormat: string
      specVersion: string
      components: { name: string; version: string; 'bom-ref': string; licenses?: unknown[] }[]
    }
    expect([bill.bomFormat, bill.specVersion]).toEqual(['CycloneDX', '1.6'])
    const { dependencies } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>
    }
    const common = 'node_modules/@azure/msal-common/package.json'
    const { version: msal } = JSON.parse(readFileSync(join(repository, common), 'utf8')) as { version: string }
    const wanted = {
      ...dependencies,
      node: process.versions.node,
      '@azure/keyvault-common': '2.1.1',
      '@azure/msal-common': msal,
    }
    const found = new Map(bill.components.map(({ name, version }) => [name, version]))
    for (const [name, version] of Object.entries(wanted)) expect([name, found.get(name)]).toEqual([name, version])
    const silent = bill.components.filter(({ name, licenses }) => !licenses && !name.startsWith('node:'))
    expect(silent).toEqual([])
    expect(new Set(bill.components.map((component) => component['bom-ref'])).size).toBe(bill.components.length)
  })

  test('the text of the licences', () => {
    const text = readFileSync(`${binary}.licences.txt`, 'utf8')
    for (const words of [
      'better-sqlite3 13',
      'SQLite is in the public domain',
      'Node.js is licensed for use as follows',
    ]) {
      expect(text).toContain(words)
    }
  })
})

const mayMount = spawnSync('unshare', ['-m', 'true']).status === 0

/** Mounts in a namespace of their own need root: without it these tests are skipped. */
describe.skipIf(!mayMount)('where the file system is read-only', () => {
  const flags = { exec: 'rw', noexec: 'rw,noexec' }
  type Kind = keyof typeof flags

  /** Runs the binary where all is read-only but for `/tmp/data` and `/tmp/run` (systemd's RuntimeDirectory), and /tmp is noexec. */
  function inReadOnlyRoot(data: Kind, run: Kind, command: string) {
    const script = `
      mount --make-rprivate /
      if [ -d /dev/shm ]; then mount -t tmpfs -o noexec tmpfs /dev/shm; fi
      mkdir -p /mnt && mount -t tmpfs tmpfs /mnt && cp "$1" /mnt/keyferry
      mount -t tmpfs -o noexec tmpfs /tmp
      mkdir /tmp/data /tmp/run
      mount -t tmpfs -o ${flags[data]} tmpfs /tmp/data
      mount -t tmpfs -o ${flags[run]} tmpfs /tmp/run
      mount -o remount,bind,ro /mnt
      mount -o remount,bind,ro /
      if touch /root/x 2>/dev/null; then echo 'the root can be written' >&2; exit 99; fi
      export RUNTIME_DIRECTORY=/tmp/run
      ${command}`
    return spawnSync('unshare', ['-m', 'sh', '-euc', script, 'sh', binary], { encoding: 'utf8' })
  }
  const start = `
    /mnt/keyferry init --data /tmp/data/kept >/dev/null
    touch /tmp/data/said
    /mnt/keyferry serve --data /tmp/data/kept --listen 127.0.0.1:0 >/tmp/data/said 2>/dev/null & served=$!
    for _ in $(seq 200); do grep -q answers /tmp/data/said && break; sleep 0.1; done
    grep -o answers /tmp/data/said
    kill $served; wait $served
    find /tmp/data /tmp/run -name '*addon*'`

  test.each([
    ['the data folder', 'exec', 'noexec'],
    ['$RUNTIME_DIRECTORY', 'noexec', 'exec'],
  ] as const)('it unpacks into %s, and leaves nothing there', (_, data, run) => {
    expect(inReadOnlyRoot(data, run, start)).toMatchObject({ status: 0, stdout: 'answers\n', stderr: '' })
  })

  test('where nothing may execute, that is one sentence, and exit code 78', () => {
    const { status, stderr } = inReadOnlyRoot('noexec', 'noexec', '/mnt/keyferry init --data /tmp/data/kept')
    expect(stderr).toMatch(
      /^keyferry: SQLite must be unpacked into a folder that can be written and may hold programs, and there is none: tried \/tmp\/data\/\S+ \(programs may not run from there\), \/tmp\/run \(programs may not run from there\), \/tmp \(programs may not run from there\), \/dev\/shm \([^)]+\)\. Set TMPDIR to one that is not mounted "noexec"\n$/,
    )
    expect(status).toBe(78)
  })
})

test('an unprivileged user who may write nowhere but to the data folder can run it', {
  skip: process.getuid?.() !== 0,
}, () => {
  const data = folders.make()
  mkdirSync(join(data, 'own'))
  const script = `chmod 755 "$2" "$(dirname "$1")" && chown nobody "$2/own" &&
    cd / && exec setpriv --reuid nobody --clear-groups env -i "$1" init --data "$2/own"`
  const { status, stderr } = spawnSync('sh', ['-euc', script, 'sh', program, data], { encoding: 'utf8' })
  expect([status, stderr]).toEqual([0, ''])
  expect(readdirSync(join(data, 'own')).sort()).toEqual(['keyferry.db', 'root.key'])
})
