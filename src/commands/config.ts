import { exitCodes } from '../config/exit-codes.ts'
import { type Flags, inForce, readSettings } from '../config/load.ts'
import type { Shown } from '../config/shown.ts'
import { zeroRoots } from '../core/seal/unsealing.ts'
import { parseWithOperands, usageError } from './command.ts'
import { type Format, formatOf, formatOption } from './format.ts'
import { missingData, settingsOptions } from './serve.ts'

const spec = {
  name: 'config',
  usage: 'check|show|schema [FLAGS]',
  about: `check   Looks for all that would stop "keyferry serve" with the same flags, variables and file before it opens the
        database: settings, data folder, root key, TLS files, clouds. Says ok, or all that is wrong (exit code 78).
show    Prints the settings in force and where each comes from: flag, variable, file and line, or default. Secrets
        stay hidden.
schema  Prints the JSON Schema of the configuration file, for editors.`,
  options: { ...settingsOptions, format: { ...formatOption, help: `of show: ${formatOption.help}` } },
  examples: [
    'keyferry config check --config keyferry.yaml',
    'keyferry config show --config keyferry.yaml --format json',
    'keyferry config schema > keyferry.schema.json',
  ],
} as const

export async function run(args: string[]): Promise<void> {
  const parsed = parseWithOperands(spec, args)
  if (!parsed) return
  const { options, operands } = parsed
  const [what, ...more] = operands
  if (more.length > 0) throw usageError(spec, `"${more[0]}" is not expected: after ${what} come only flags`)
  const { format, ...flags } = options
  if (format !== undefined && what !== 'show') throw usageError(spec, '--format goes with show alone')
  if (what === 'check') await check(flags)
  else if (what === 'show') await show(flags, formatOf(spec, format))
  else if (what === 'schema') await schema(flags)
  else
    throw usageError(
      spec,
      what === undefined ? 'check, show or schema is missing' : `"${what}" is not known: check, show and schema are`,
    )
}

async function check(flags: Flags): Promise<void> {
  const { prepare } = await import('./serve-checks.ts')
  const { prepared, problems } = await prepare(readSettings(flags, process.env), process.env, missingData)
  if (prepared) {
    zeroRoots(prepared.rootKeys)
    console.log('ok')
    return
  }
  for (const { message } of problems) console.error(`keyferry: ${message}`)
  process.exitCode = exitCodes.config
}

async function show(flags: Flags, format: Format): Promise<void> {
  const { shownSettings } = await import('../config/shown.ts')
  const rows = shownSettings(inForce(flags, process.env), process.env)
  console.log(format === 'json' ? JSON.stringify(rows, null, 2) : table(rows))
}

function table(rows: readonly Shown[]): string {
  const lines = [
    ['Setting', 'Value', 'From'],
    ...rows.map(({ setting, value, from }) => [setting, inWords(value), from]),
  ]
  const [names = 0, values = 0] = [0, 1].map((column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  return lines
    .map(([name = '', value = '', from]) => `${name.padEnd(names)}  ${value.padEnd(values)}  ${from}`)
    .join('\n')
}

/** A text as it is, unless it would not stay in its line. */
function inWords(value: unknown): string {
  return typeof value === 'string' && /^[^\p{C}]+$/u.test(value) ? value : JSON.stringify(value)
}

async function schema(flags: Flags): Promise<void> {
  const [flag] = Object.keys(flags)
  if (flag !== undefined) throw usageError(spec, `--${flag} is not expected: the schema is the same whatever is set`)
  const { configurationSchema } = await import('../config/json-schema.ts')
  console.log(JSON.stringify(configurationSchema(), null, 2))
}
