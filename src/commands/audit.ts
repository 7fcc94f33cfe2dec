import { join, resolve } from 'node:path'
import { CommandError, exitCodes } from '../config/exit-codes.ts'
import { unsealing } from '../config/root-key.ts'
import { auditSecret } from '../core/audit/open.ts'
import { type Verdict, verifyLog } from '../core/audit/verify.ts'
import { Keyring } from '../core/seal/keyring.ts'
import { listRoots, unseal } from '../core/seal/unsealing.ts'
import { openStore } from '../store/sqlite/index.ts'
import { linesOf } from './audit-lines.ts'
import { parseWithOperands, required } from './command.ts'
import { checkDataFolder, databaseFile } from './data-folder.ts'
import { formatOf, formatOption } from './format.ts'
import { type Progress, startProgress } from './progress.ts'

const spec = {
  name: 'audit verify',
  usage: 'FILE [FILE...] --data DIR [--sink FILE]',
  about: `Checks the lines of an audit log: that each follows from the one before it, and that none is missing at the end, as
far as the gateway last noted. Give all rotated files of one log, oldest first. Exits 65 when something is wrong.
"keyferry audit view FILE --namespace PATH" prints the lines of one namespace.`,
  options: {
    data: { type: 'string', value: 'DIR', help: 'the data folder of the gateway that wrote it' },
    sink: {
      type: 'string',
      value: 'FILE',
      help: 'the path that the gateway wrote to; that of the last file unless told',
    },
    'root-key-file': { type: 'string', value: 'FILE', help: 'the root key, when it is not DIR/root.key' },
    format: formatOption,
  },
  examples: [
    'keyferry audit verify --data /var/lib/keyferry /var/log/keyferry/audit.log',
    'keyferry audit verify --data ./data audit.log.1 audit.log',
  ],
} as const

export async function run(args: string[]): Promise<void> {
  if (args[0] === 'view') return await (await import('./audit-view.ts')).run(args.slice(1))
  const parsed = parseWithOperands(spec, args)
  if (!parsed) return
  const { options: flags, operands } = parsed
  const [verb, ...files] = operands
  if (verb !== 'verify' || files.length === 0) {
    throw new CommandError(
      exitCodes.usage,
      `"keyferry audit" is called as: keyferry ${spec.name} ${spec.usage}, or keyferry audit view FILE --namespace PATH`,
    )
  }
  const format = formatOf(spec, flags.format)
  const data = required(spec, 'data', flags.data)
  checkDataFolder(data)
  const sink = resolve(flags.sink ?? files.at(-1) ?? '')
  const progress = startProgress()
  const store = openStore({ file: join(data, databaseFile) })
  try {
    const roots = await unseal(unsealing({ file: flags['root-key-file'], dataFolder: data, environment: process.env }))
    const keyring = new Keyring(listRoots(roots), store.namespaces)
    const verdict = await verifyLog(
      await auditSecret(store.audit, keyring),
      counted(linesOf(files), progress),
      await store.audit.heads(sink),
      sink,
    )
    progress.end()
    if (format === 'json') console.log(JSON.stringify(verdict))
    else inWords(verdict)
    if (verdict.faults.length > 0) process.exitCode = exitCodes.data
  } finally {
    progress.end()
    store.close()
  }
}

function inWords({ lines, chains, faults }: Verdict): void {
  for (const { line, message } of faults) console.error(line === 0 ? message : `line ${line} ${message}`)
  console.log(
    `${lines} lines in ${chains} chains, ${faults.length === 0 ? 'all as they were written' : `${faults.length} faults`}`,
  )
}

/** Says how many lines there were so far, often enough, and at no cost a line. */
async function* counted(lines: AsyncIterable<string>, progress: Progress): AsyncIterable<string> {
  let count = 0
  for await (const line of lines) {
    count += 1
    if (count % 1_000 === 0) progress.show(`Lines that were checked: ${count}`)
    yield line
  }
}
