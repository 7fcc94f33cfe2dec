import { gatewayOf, gatewayOptions } from '../client/gateway.ts'
import { exitCodes } from '../config/exit-codes.ts'
import { worstOf } from '../core/kms/diagnose.ts'
import type { Finding } from '../core/kms/provider.ts'
import { parseCommand, usageError } from './command.ts'
import { formatOf, formatOption } from './format.ts'

const spec = {
  name: 'doctor',
  usage: '--kms NAME [--mount PATH] | --data DIR',
  about: `With --kms, asks a running gateway what stands between a KMS and its first key: name, TLS, clock, token, permissions,
kind of vault, key encryption key. Nothing is changed in the cloud. Where and as whom is as for "keyferry read".
With --data, looks at a data folder while no gateway is needed: modes, root key, database, room on the disk.

Exit codes: 0 all is well, 10 there are warnings, 20 there are errors; others as of every command.`,
  options: {
    kms: { type: 'string', value: 'NAME', help: 'the KMS to look at' },
    mount: { type: 'string', value: 'PATH', help: 'where its engine is mounted: keymgmt unless told' },
    data: { type: 'string', value: 'DIR', help: 'the data folder to look at' },
    'root-key-file': { type: 'string', value: 'FILE', help: 'with --data: the root key, when it is not DIR/root.key' },
    format: formatOption,
    ...gatewayOptions,
  },
  examples: ['keyferry doctor --kms prod', 'keyferry doctor --data /var/lib/keyferry --format json'],
} as const

/** What the worst finding ends the process with. */
const exitCodeOf: Readonly<Record<Finding['level'], number>> = {
  ok: exitCodes.ok,
  info: exitCodes.ok,
  warning: 10,
  error: 20,
}

export async function run(args: string[]): Promise<void> {
  const options = parseCommand(spec, args)
  if (!options) return
  const { kms, data, mount } = options
  const format = formatOf(spec, options.format)
  if ((kms === undefined) === (data === undefined)) throw usageError(spec, 'one of --kms NAME and --data DIR is needed')
  const findings =
    kms !== undefined
      ? await (await import('./doctor-kms.ts')).diagnoseKms({
          kms,
          mount: mount ?? 'keymgmt',
          gateway: gatewayOf(options, process.env),
        })
      : (await import('./doctor-data.ts')).diagnoseData({
          folder: data ?? '',
          rootKeyFile: options['root-key-file'],
          environment: process.env,
        })
  const found = await findings
  const level = worstOf(found)
  console.log(format === 'json' ? JSON.stringify({ level, findings: found }) : table(found))
  process.exitCode = exitCodeOf[level]
}

/** One line a finding, and one below it for what to do. */
export function table(findings: readonly Finding[]): string {
  const width = Math.max(0, ...findings.map(({ code }) => code.length))
  const indent = ' '.repeat(9 + width + 2)
  return findings
    .flatMap(({ level, code, message, action }) => [
      `${level.toUpperCase().padEnd(9)}${code.padEnd(width)}  ${message}`,
      ...(action === undefined ? [] : [`${indent}-> ${action}`]),
    ])
    .join('\n')
}
