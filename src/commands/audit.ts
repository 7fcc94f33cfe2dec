import { createReadStream } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { CommandError, exitCodes, systemReason } from '../config/exit-codes.ts'
import { unsealing } from '../config/root-key.ts'
import { auditSecret } from '../core/audit/open.ts'
import { verifyLog } from '../core/audit/verify.ts'
import { Keyring } from '../core/seal/keyring.ts'
import { listRoots, unseal } from '../core/seal/unsealing.ts'
import { openStore } from '../store/sqlite/index.ts'
import { parseCommand, required } from './command.ts'
import { checkDataFolder, databaseFile } from './data-folder.ts'

const spec = {
  name: 'audit verify',
  usage: 'FILE [FILE...] --data DIR [--sink FILE]',
  about: `Checks the lines of an audit log: that each follows from the one before it, and that none is missing at the end, as
far as the gateway last noted. Give all rotated files of one log, oldest first. Exits 65 when something is wrong.`,
  options: {
    data: { type: 'string', value: 'DIR', help: 'the data folder of the gateway that wrote it' },
    sink: {
      type: 'string',
      value: 'FILE',
      help: 'the path that the gateway wrote to; that of the last file unless told',
    },
    'root-key-file': { type: 'string', value: 'FILE', help: 'the root key, when it is not DIR/root.key' },
  },
  examples: [
    'keyferry audit verify --data /var/lib/keyferry /var/log/keyferry/audit.log',
    'keyferry audit verify --data ./data audit.log.1 audit.log',
  ],
} as const

export async function run(args: string[]): Promise<void> {
  const files = args.filter((arg, index) => !arg.startsWith('-') && !takesValue(args[index - 1]))
  const flags = parseCommand(
    spec,
    args.filter((arg) => !files.includes(arg)),
  )
  if (!flags) return
  if (files.shift() !== 'verify' || files.length === 0) {
    throw new CommandError(exitCodes.usage, `"keyferry audit" is called as: keyferry ${spec.name} ${spec.usage}`)
  }
  const data = required(spec, 'data', flags.data)
  checkDataFolder(data)
  const sink = resolve(flags.sink ?? files.at(-1) ?? '')
  const store = openStore({ file: join(data, databaseFile) })
  try {
    const roots = await unseal(unsealing({ file: flags['root-key-file'], dataFolder: data, environment: process.env }))
    const keyring = new Keyring(listRoots(roots), store.namespaces)
    const verdict = await verifyLog(
      await auditSecret(store.audit, keyring),
      linesOf(files),
      await store.audit.heads(sink),
      sink,
    )
    for (const { line, message } of verdict.faults) console.error(line === 0 ? message : `line ${line} ${message}`)
    console.log(
      `${verdict.lines} lines in ${verdict.chains} chains, ${verdict.faults.length === 0 ? 'all as they were written' : `${verdict.faults.length} faults`}`,
    )
    if (verdict.faults.length > 0) process.exitCode = exitCodes.data
  } finally {
    store.close()
  }
}

function takesValue(arg: string | undefined): boolean {
  return arg?.startsWith('--') === true && !arg.includes('=')
}

async function* linesOf(files: readonly string[]): AsyncIterable<string> {
  for (const file of files) {
    try {
      yield* createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })
    } catch (error) {
      throw new CommandError(exitCodes.config, `the audit log ${file} cannot be read: ${systemReason(error)}`)
    }
  }
}
