import { join } from 'node:path'
import { loadSettings } from '../config/load.ts'
import { zeroRoots } from '../core/seal/unsealing.ts'
import { described, withCore } from './clouds.ts'
import { parseCommand, required } from './command.ts'
import { checkDataFolder, databaseFile } from './data-folder.ts'
import { readRootKeys } from './root-keys.ts'

const spec = {
  name: 'release',
  usage: '--data DIR [--config FILE] [--dry-run] [--force]',
  about: `Ends what a restore began: compares every copy with its cloud once more and tells what differs, then lets the gateway
work on copies again. Versions that were made after the backup become known, under the numbers that they have; their
material is in the KMSs alone. A gateway may serve meanwhile. Refused while a cloud cannot be looked at, unless forced.`,
  options: {
    data: { type: 'string', value: 'DIR', help: 'the data folder' },
    'root-key-file': { type: 'string', value: 'FILE', help: 'the root key, when it is not DIR/root.key' },
    'root-key-file-previous': { type: 'string', value: 'FILE', help: 'the one before it, during a rotation' },
    config: { type: 'string', value: 'FILE', help: 'the configuration of the gateway, for its clouds' },
    'dry-run': { type: 'boolean', help: 'tell what differs, and release nothing' },
    force: { type: 'boolean', help: 'also where a cloud cannot be looked at' },
  },
  examples: ['keyferry release --data /var/lib/keyferry --dry-run', 'keyferry release --data /var/lib/keyferry'],
} as const

export async function run(args: string[]): Promise<void> {
  const flags = parseCommand(spec, args)
  if (!flags) return
  const settings = loadSettings(flags, process.env)
  const data = required(spec, 'data', settings.data)
  process.umask(0o077)
  checkDataFolder(data)
  const roots = await readRootKeys(settings, data)
  try {
    const dry = flags['dry-run'] === true
    const comparison = await withCore(join(data, databaseFile), roots, settings, (core) =>
      dry ? core.restore.compare() : core.restore.release({ unreachable: flags.force === true }),
    )
    console.log(described(comparison))
    console.log(dry ? 'Nothing was released.' : 'Released: the gateway works on copies again.')
  } finally {
    zeroRoots(roots)
  }
}
