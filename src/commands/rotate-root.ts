import { closeSync, existsSync, fsyncSync, linkSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { CommandError, exitCodes, systemReason } from '../config/exit-codes.ts'
import { loadSettings } from '../config/load.ts'
import { rootKeyFile } from '../config/root-key.ts'
import { systemContext } from '../core/context.ts'
import { Keyring } from '../core/seal/keyring.ts'
import { resealReplaced } from '../core/seal/reseal.ts'
import { formatRootKey, newRootKey } from '../core/seal/root-key.ts'
import { rotateRoot, staleAfterMs } from '../core/seal/root-rotation.ts'
import type { LiveProcess } from '../core/seal/seal-store.ts'
import { listRoots, type RootKeys } from '../core/seal/unsealing.ts'
import type { Store } from '../core/store.ts'
import { openStore } from '../store/sqlite/index.ts'
import { parseCommand, required } from './command.ts'
import { checkDataFolder, databaseFile } from './data-folder.ts'
import { createLog } from './log.ts'
import { type Progress, startProgress } from './progress.ts'
import { readRootKeys } from './root-keys.ts'

const spec = {
  name: 'rotate-root',
  usage: '--data DIR [--make-key] [--data-keys]',
  about: `Puts another root key in the place of the present one, while gateways serve. Both are needed, also by every gateway: the
new one as the root key, the present one as the previous (DIR/root.key-previous, KEYFERRY_ROOT_KEY_PREVIOUS, credential
keyferry-root-key-previous). Run it again after a crash: it goes on where it ended. When it has ended, nothing is under
the old one any more but backups that were made before.`,
  options: {
    data: { type: 'string', value: 'DIR', help: 'the data folder' },
    'make-key': {
      type: 'boolean',
      help: 'only make a new DIR/root.key, and keep the present one as DIR/root.key-previous',
    },
    'data-keys': {
      type: 'boolean',
      help: 'replace the data key of every namespace too (or alone, without a new root key)',
    },
    'root-key-file': { type: 'string', value: 'FILE', help: 'the new root key, when it is not DIR/root.key' },
    'root-key-file-previous': {
      type: 'string',
      value: 'FILE',
      help: 'the old one, when it is not DIR/root.key-previous',
    },
  },
  examples: [
    'keyferry rotate-root --data /var/lib/keyferry --make-key',
    'keyferry rotate-root --data /var/lib/keyferry',
    'keyferry rotate-root --data /var/lib/keyferry --data-keys',
  ],
} as const

export async function run(args: string[]): Promise<void> {
  const flags = parseCommand(spec, args)
  if (!flags) return
  const settings = loadSettings(flags, process.env)
  const data = required(spec, 'data', settings.data)
  process.umask(0o077)
  checkDataFolder(data)
  if (flags['make-key']) return makeKey(data)
  const roots = await readRootKeys(settings, data)
  const store = openStore({ file: join(data, databaseFile) })
  const progress = startProgress()
  const keyring = new Keyring(listRoots(roots), store.namespaces, () => store.meta.get('root_id'))
  try {
    await forgetDead(store)
    if (roots.previous || !flags['data-keys']) await changeRoot(store, keyring, roots, progress)
    if (flags['data-keys']) await replaceDataKeys(store, keyring, progress)
  } finally {
    progress.end()
    keyring.close()
    store.close()
  }
}

async function changeRoot(store: Store, keyring: Keyring, roots: RootKeys, progress: Progress): Promise<void> {
  progress.show('Sealing the data key of every namespace anew')
  const { from, to, rewrapped, holders } = await rotateRoot({ context: systemContext, store, keyring }, roots)
  progress.end()
  const done = from === undefined ? `is under root key ${to} already` : `is now under root key ${to}`
  console.log(`The database ${done}; ${rewrapped} data keys were sealed anew.`)
  const names = holders.map(({ name }) => name).join(', ')
  if (holders.length > 0) console.log(`These still hold the old root key, and let it go within seconds: ${names}.`)
  console.log(
    'The old root key is needed only for backups that were made under it: keep it with those, and take it out of here.',
  )
}

/** Every namespace gets a fresh data key. Gateways that run seal the rest anew; where none does, it is done here. */
async function replaceDataKeys(store: Store, keyring: Keyring, progress: Progress): Promise<void> {
  const context = { ...systemContext, log: createLog({ level: 'error' }) }
  let namespaces = 0
  for (let after = ''; ; ) {
    const ids = await store.seal.namespaceIds(after, 100)
    for (const id of ids) await store.seal.replaceDataKey(await keyring.newDataKey(id, context.now()))
    namespaces += ids.length
    progress.show(`Namespaces with fresh data keys: ${namespaces}`)
    const last = ids.at(-1)
    if (last === undefined) break
    after = last
  }
  progress.end()
  console.log(`${namespaces} namespaces have fresh data keys.`)
  const live = await store.seal.live(context.now() - staleAfterMs)
  if (live.length > 0) {
    console.log(`What is under the old ones is being sealed anew by ${live.map(({ name }) => name).join(', ')}.`)
    return
  }
  progress.show('Sealing anew what is under the old ones')
  const left = await resealReplaced({ context, store, keyring, graceMs: 0 })
  progress.end()
  if (left > 0) {
    throw new CommandError(
      exitCodes.data,
      `${left} old data keys are kept, since something under them does not open. A gateway's log names it; a backup of before may have it whole`,
    )
  }
  console.log('Everything was sealed anew, and the old data keys are gone.')
}

/** Processes of this machine that are no more: they could not say so. */
async function forgetDead(store: Store): Promise<void> {
  for (const one of await store.seal.live(Date.now() - staleAfterMs)) {
    if (isDead(one)) await store.seal.leave(one.id, new Map())
  }
}

function isDead({ name }: LiveProcess): boolean {
  const [, host, pid] = /^(.*):([0-9]+)$/.exec(name) ?? []
  if (host !== hostname()) return false
  try {
    process.kill(Number(pid), 0)
    return false
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH'
  }
}

/** At every moment of it there is a whole root.key, and the present key is under one of the two names. */
function makeKey(data: string): void {
  const file = join(data, rootKeyFile)
  const previous = `${file}-previous`
  const fresh = `${file}-new`
  const refuse = (problem: string, advice = '') =>
    new CommandError(exitCodes.cannotCreate, `${problem}: nothing was changed${advice}`)
  if (!existsSync(file)) {
    throw refuse(`${data} has no ${rootKeyFile}`, '. Where the root key is elsewhere, make the new one there')
  }
  if (existsSync(previous)) {
    const advice = `. Finish that one with "keyferry rotate-root --data ${data}", then move the file to its backups`
    throw refuse(`${previous} is there already, of a rotation that is not finished`, advice)
  }
  const root = newRootKey()
  try {
    rmSync(fresh, { force: true })
    writeFileSync(fresh, formatRootKey(root), { mode: 0o600, flag: 'wx', flush: true })
    linkSync(file, previous)
    renameSync(fresh, file)
    const handle = openSync(data, 'r')
    fsyncSync(handle)
    closeSync(handle)
  } catch (error) {
    throw refuse(`a new root key cannot be made in ${data}: ${systemReason(error)}`)
  } finally {
    root.key.fill(0)
  }
  console.log(`Made a new ${file}, and kept the present one as ${previous}. Keep a copy of the new one in another place.
Restart the gateways, so that they hold both, then:  keyferry rotate-root --data ${data}`)
}
