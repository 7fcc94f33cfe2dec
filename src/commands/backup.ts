import { randomBytes } from 'node:crypto'
import { createReadStream, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { type FileHandle, link, open, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { CommandError, exitCodes } from '../config/exit-codes.ts'
import { loadSettings } from '../config/load.ts'
import { sealArchive } from '../core/backup/archive.ts'
import { newSecret, parseRecipient } from '../core/backup/secrets.ts'
import { namedRoot, zeroRoots } from '../core/seal/unsealing.ts'
import { copyDatabase, type DatabaseFacts } from '../store/sqlite/backup.ts'
import { version } from '../version.ts'
import { parseCommand, required } from './command.ts'
import { checkDataFolder, databaseFile, refuseDevFolder } from './data-folder.ts'
import { explainSystem, readText } from './files.ts'
import { counted, startProgress } from './progress.ts'
import { readRootKeys } from './root-keys.ts'

const spec = {
  name: 'backup',
  usage: '--data DIR --out FILE [--recipient FILE]',
  about: `Writes a backup of the database: as it is at one moment, checked from end to end, encrypted whole. A gateway may serve
meanwhile. It is sealed under the root key; with --recipient for the owner of an X25519 key, and then no root key is
needed to make it. The root key itself is never in it: without a copy of that in another place, no backup is worth
anything.`,
  options: {
    data: { type: 'string', value: 'DIR', help: 'the data folder' },
    out: { type: 'string', value: 'FILE', help: 'the backup to write; it must not exist' },
    recipient: { type: 'string', value: 'FILE', help: 'a PEM public key (openssl genpkey -algorithm X25519)' },
    'root-key-file': { type: 'string', value: 'FILE', help: 'the root key, when it is not DIR/root.key' },
    'root-key-file-previous': { type: 'string', value: 'FILE', help: 'the one before it, during a rotation' },
  },
  examples: [
    'keyferry backup --data /var/lib/keyferry --out /backup/keyferry-1.backup',
    'keyferry backup --data ./data --out ./monday.backup --recipient backup-public.pem',
  ],
} as const

const temporaryPrefix = '.keyferry-backup-'
const longestMs = 24 * 3_600_000

export async function run(args: string[]): Promise<void> {
  const flags = parseCommand(spec, args)
  if (!flags) return
  const settings = loadSettings(flags, process.env)
  const data = required(spec, 'data', settings.data)
  const out = resolve(required(spec, 'out', flags.out))
  process.umask(0o077)
  checkDataFolder(data)
  refuseDevFolder(data)
  const recipient = recipientIn(flags.recipient)
  const roots = recipient ? undefined : await readRootKeys(settings, data)
  const progress = startProgress()
  let building: string | undefined
  try {
    removeLeftOver(data)
    building = mkdtempSync(join(data, temporaryPrefix))
    const copy = join(building, databaseFile)
    progress.show('Copying the database and checking the copy')
    const facts = copyDatabase(join(data, databaseFile), copy)
    const to = recipient ?? (roots && namedRoot(facts.rootId, roots))
    if (!to) throw new CommandError(exitCodes.config, 'there is nobody to seal the backup for')
    const { sealedFor, secret } = newSecret(to)
    const content = counted(createReadStream(copy), { progress, what: 'Encrypting', total: statSync(copy).size })
    const bytes = await write(out, sealArchive(header(facts, sealedFor), secret, content))
    secret.fill(0)
    progress.end()
    const who = recipient ? 'its recipient' : 'the root key'
    console.log(`Wrote ${out}: ${bytes} bytes, sealed for ${who}. To restore it, root key ${facts.rootId} is needed.`)
  } catch (error) {
    throw explainSystem(error, exitCodes.cannotCreate, 'the backup cannot be made')
  } finally {
    progress.end()
    if (roots) zeroRoots(roots)
    if (building !== undefined) rmSync(building, { recursive: true, force: true })
  }
}

/** What backups that were killed have left in the data folder. Whoever is at it now made theirs later. */
function removeLeftOver(data: string): void {
  for (const name of readdirSync(data)) {
    const path = join(data, name)
    if (name.startsWith(temporaryPrefix) && Date.now() - statSync(path).mtimeMs > longestMs)
      rmSync(path, { recursive: true, force: true })
  }
}

function header(facts: DatabaseFacts, sealedFor: ReturnType<typeof newSecret>['sealedFor']) {
  return { madeAt: Date.now(), ...facts, version, sealedFor }
}

function recipientIn(file: string | undefined) {
  return file === undefined ? undefined : parseRecipient(readText(file, 'recipient'), file)
}

/** Writes out of sight, and gives the file its name once all of it is on the disk. Never replaces one. */
async function write(file: string, content: AsyncIterable<Buffer>): Promise<number> {
  const temporary = join(dirname(file), `${temporaryPrefix}${randomBytes(6).toString('hex')}`)
  let handle: FileHandle | undefined
  try {
    handle = await open(temporary, 'wx', 0o600)
    let bytes = 0
    for await (const piece of content) {
      await handle.writeFile(piece)
      bytes += piece.length
    }
    await handle.sync()
    await link(temporary, file)
    const folder = await open(dirname(file), 'r')
    await folder.sync()
    await folder.close()
    return bytes
  } catch (error) {
    throw explainSystem(error, exitCodes.cannotCreate, `the backup ${file} cannot be written`)
  } finally {
    await handle?.close()
    await rm(temporary, { force: true })
  }
}
