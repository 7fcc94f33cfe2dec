import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { temporaryFolders } from '../commands/keyferry.ts'
import { repository } from './commands.ts'
import { readDockerfile } from './dockerfile.ts'

const folders = temporaryFolders()
afterAll(() => folders.removeAll())

const systemd = spawnSync('systemd-analyze', ['--version']).status === 0

/** Without systemd's own tool there is nothing to ask. It looks at the file alone: no systemd has to run. */
describe.skipIf(!systemd)('deploy/keyferry.service', () => {
  const unit = join(repository, 'deploy/keyferry.service')
  const analyze = (...args: string[]) =>
    spawnSync('systemd-analyze', ['--no-pager', ...args, unit], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    })

  test('is exposed no more than 1.5 of 10, as systemd counts', () => {
    const { stdout } = analyze('security', '--offline=true')
    const [, level] = /Overall exposure level for keyferry\.service: ([\d.]+)/.exec(stdout) ?? []
    expect(Number(level)).toBeGreaterThan(0)
    expect(Number(level)).toBeLessThanOrEqual(1.5)
  })

  test('has no setting that systemd does not know', () => {
    const complaints = analyze('verify')
      .stderr.split('\n')
      .filter((line) => line !== '')
    // The binary is not installed here; that is all that may be found.
    expect(complaints.filter((line) => !line.includes('/usr/local/bin/keyferry is not executable'))).toEqual([])
  })
})

const mayMount = spawnSync('unshare', ['-m', 'true']).status === 0

/**
 * No Docker here: the instructions of the Dockerfile are carried out in order, in a root that is a layer above this machine's own (so
 * that `FROM` is only taken at its word), and its command is run as Docker and compose.yaml would: as that user, with nothing to be
 * written but the volume. Layers and mounts need root: without it this is skipped.
 */
describe.skipIf(!mayMount)('deploy/Dockerfile', () => {
  const instructions = readDockerfile(join(repository, 'deploy/Dockerfile'))
  const all = (name: string) => instructions.filter((one) => one.name === name).map(({ rest }) => rest)

  test('says what the script below can do, and nothing else', () => {
    const known = [
      'FROM',
      'RUN',
      'COPY',
      'ENV',
      'USER',
      'WORKDIR',
      'VOLUME',
      'EXPOSE',
      'STOPSIGNAL',
      'ENTRYPOINT',
      'CMD',
    ]
    expect(instructions.filter(({ name }) => !known.includes(name))).toEqual([])
    expect(all('FROM')).toEqual(['debian:bookworm-slim'])
  })

  test('is carried out, and makes and serves a data folder with a read-only root', () => {
    const context = folders.make()
    for (const name of ['keyferry', 'keyferry.cdx.json', 'keyferry.licences.txt']) {
      mkdirSync(join(context, 'dist'), { recursive: true })
      cpSync(join(repository, 'dist', name), join(context, 'dist', name))
    }
    const [user = ''] = all('USER')
    const [uid, gid] = user.split(':')
    const [volume = ''] = all('VOLUME')
    const variables = all('ENV').join(' ')
    const command = [...all('ENTRYPOINT'), ...all('CMD')].flatMap((list) => JSON.parse(list) as string[]).join(' ')
    const [entry = ''] = command.split(' ')
    const build = instructions.flatMap(({ name, rest }) => {
      if (name === 'RUN') return [`chroot "$root" /bin/sh -euc ${quoted(rest)}`]
      if (name !== 'COPY') return []
      const words = rest.split(/\s+/)
      const to = words.pop() ?? ''
      return [`mkdir -p "$root${to.replace(/[^/]+$/, '')}"`, ...words.map((from) => `cp ${from} "$root${to}"`)]
    })
    const asUser = `env -i ${variables} setpriv --reuid ${uid} --regid ${gid} --clear-groups --no-new-privs`
    const script = `
      mount --make-rprivate /
      layer=$1
      mount -t tmpfs tmpfs "$layer"
      mkdir "$layer/upper" "$layer/work" "$layer/root"
      root=$layer/root
      mount -t overlay overlay -o "lowerdir=/,upperdir=$layer/upper,workdir=$layer/work" "$root"
      mount --rbind /proc "$root/proc"
      mount --rbind /dev "$root/dev"
      mkdir -p "$root/tmp"
      chmod 1777 "$root/tmp"
      exec 3>&1 >&2
      ${build.join('\n      ')}
      exec >&3
      mount -t tmpfs -o noexec tmpfs "$root/tmp"
      mount -t tmpfs -o mode=0700,uid=${uid},gid=${gid} tmpfs "$root${volume}"
      mount -o remount,ro "$root"
      if chroot "$root" touch /x 2>/dev/null; then echo 'the root can be written' >&2; exit 99; fi
      chroot "$root" ${asUser} ${entry} init >"$layer/token"
      tail -n 1 "$layer/token" | grep -c '^eyJ'
      touch "$layer/said"
      chroot "$root" ${asUser} ${command} --listen 127.0.0.1:0 >"$layer/said" & served=$!
      for _ in $(seq 200); do grep -q answers "$layer/said" && break; sleep 0.1; done
      cut -d: -f1,2 "$layer/said"
      kill $served
      wait $served
      echo "ended with $?"`
    const { status, stdout, stderr } = spawnSync('unshare', ['-m', 'bash', '-euc', script, 'bash', folders.make()], {
      cwd: context,
      encoding: 'utf8',
    })
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(/^1\nKeyferry \S+ answers at http:\/\/127\.0\.0\.1\nended with 0\n$/)
  })
})

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
