import { createReadStream, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { exitCodes } from '../config/exit-codes.ts'
import { loadSettings } from '../config/load.ts'
import { type ArchiveHeader, openArchive } from '../core/backup/archive.ts'
import { makeRestored } from '../core/backup/restore.ts'
import { parseIdentity, secretOf } from '../core/backup/secrets.ts'
import { systemContext } from '../core/context.ts'
import { KeyferryError } from '../core/errors.ts'
import { listRoots, type RootKeys, zeroRoots } from '../core/seal/unsealing.ts'
import { checkDatabase, knownSchema } from '../store/sqlite/backup.ts'
import { openStore } from '../store/sqlite/index.ts'
import { compared } from './clouds.ts'
import { parseCommand, required } from './command.ts'
import { buildDataFolder, databaseFile } from './data-folder.ts'
import { explainSystem, readText } from './files.ts'
import { counted, type Progress, startProgress } from './progress.ts'
import { readRootKeys } from './root-keys.ts'

const spec = {
  name: 'restore',
  usage: '--in FILE --data DIR [--identity FILE] [--offline]',
  about: `Makes a data folder out of a backup. All tokens, secret ids and wrapping tokens of the backup are revoked, and a new
root token is printed, this once, as the last line. Then the copies of keys are compared with their clouds, and what
differs is told; nothing is sent to any of them until "keyferry release". The root key is the first of: --root-key-file,
KEYFERRY_ROOT_KEY, systemd's credential keyferry-root-key; it is not put into the folder.`,
  options: {
    in: { type: 'string', value: 'FILE', help: 'the backup' },
    data: { type: 'string', value: 'DIR', help: 'the folder to make; it must not exist, or be empty' },
    'root-key-file': { type: 'string', value: 'FILE', help: 'the root key that the backup names' },
    'root-key-file-previous': {
      type: 'string',
      value: 'FILE',
      help: 'the one before it, for a backup made in a rotation',
    },
    identity: { type: 'string', value: 'FILE', help: 'the PEM private key of the recipient' },
    config: { type: 'string', value: 'FILE', help: 'the configuration of the gateway, for its clouds' },
    offline: { type: 'boolean', help: 'do not look at the clouds now: "keyferry release" does it later' },
  },
  examples: [
    'keyferry restore --in /backup/keyferry-1.backup --data /var/lib/keyferry --root-key-file /safe/root.key',
    'keyferry restore --in monday.backup --data ./data --root-key-file root.key --identity backup-private.pem --offline',
  ],
} as const

export async function run(args: string[]): Promise<void> {
  const flags = parseCommand(spec, args)
  if (!flags) return
  const settings = loadSettings(flags, process.env)
  const data = required(spec, 'data', settings.data)
  const file = required(spec, 'in', flags.in)
  const identity = identityIn(flags.identity)
  const roots = await readRootKeys(settings, undefined)
  const progress = startProgress()
  try {
    const { token, revoked, madeAt, report } = await buildDataFolder(data, async (building) => {
      const database = join(building, databaseFile)
      const header = await unpack(file, database, progress, (one) => secretOf(one, listRoots(roots), identity))
      progress.show('Checking the database')
      checkDatabase(database)
      const restored = await openAndRevoke(database, roots, header.madeAt)
      progress.show('Comparing the copies of keys with their clouds')
      const report = flags.offline ? undefined : await compared(database, roots, settings)
      return { ...restored, madeAt: header.madeAt, report }
    })
    progress.end()
    console.log(`Made ${resolve(data)} of the backup of ${new Date(madeAt).toISOString()}.

Revoked: ${count(revoked.tokens, 'token')}, ${count(revoked.secretIds, 'secret id')}, ${count(revoked.wrapped, 'wrapped answer')}.
${report ?? 'The clouds were not looked at.'}
Nothing is sent to any KMS until this is run:  keyferry release --data ${data}
The root key is not in the folder: give it to "keyferry serve" as it was given here.

The new root token, shown this once:
${token}`)
  } finally {
    progress.end()
    zeroRoots(roots)
  }
}

/** Decrypts the backup into a file; gives its header. Throws a sentence that names the backup. */
async function unpack(
  file: string,
  to: string,
  progress: Progress,
  secretFor: (header: ArchiveHeader) => Buffer,
): Promise<ArchiveHeader> {
  try {
    const { header, content } = await openArchive(createReadStream(file), (one) => {
      if (one.schema > knownSchema())
        throw new KeyferryError(
          'unavailable',
          `it was made by a newer keyferry (${one.version}) than this one: use that one`,
        )
      return secretFor(one)
    })
    const handle = await open(to, 'wx', 0o600)
    try {
      const total = statSync(file).size
      for await (const piece of counted(content, { progress, what: 'Decrypting', total })) await handle.writeFile(piece)
      await handle.sync()
    } finally {
      await handle.close()
    }
    return header
  } catch (error) {
    if (error instanceof KeyferryError) throw new KeyferryError(error.code, `the backup ${file}: ${error.message}`)
    throw explainSystem(error, exitCodes.config, `the backup ${file} cannot be restored`)
  }
}

async function openAndRevoke(database: string, roots: RootKeys, madeAt: number) {
  const store = openStore({ file: database })
  try {
    return await makeRestored(store, roots, madeAt, systemContext)
  } finally {
    store.close()
  }
}

function identityIn(file: string | undefined) {
  return file === undefined ? undefined : parseIdentity(readText(file, 'identity'), file)
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}
