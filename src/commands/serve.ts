import { join } from 'node:path'
import { exitCodes } from '../config/exit-codes.ts'
import { isLoopback } from '../config/listen.ts'
import { firstOf, readSettings } from '../config/load.ts'
import { helpOf, sources } from '../config/sources.ts'
import type { NamespaceLimits } from '../core/access/limits.ts'
import { systemContext } from '../core/context.ts'
import { version } from '../version.ts'
import { auditOptions } from './audit-options.ts'
import { type Option, parseCommand, usageError } from './command.ts'
import { databaseFile } from './data-folder.ts'
import type { Gateway } from './gateway.ts'
import { createLog } from './log.ts'
import { prepare } from './serve-checks.ts'
import { stopRequested } from './stop.ts'
import { TlsReloader } from './tls-files.ts'

/** The flags of the gateway's settings, which "keyferry config" takes too. */
export const settingsOptions: Readonly<Record<string, Option>> = {
  ...Object.fromEntries(
    sources.map((source) => [source.flag, { type: 'string', value: source.value, help: helpOf(source) } as const]),
  ),
  config: { type: 'string', value: 'FILE', help: 'a configuration file (YAML or JSON)' },
}

const spec = {
  name: 'serve',
  usage: '--data DIR [--listen HOST:PORT] [FLAGS]',
  about: `Runs the gateway on a data folder until SIGTERM or SIGINT, which let requests under way end; a second one stops
at once. Flags win over environment variables (KEYFERRY_LISTEN for --listen, and so on), those over the file.
The root key is the first of: --root-key-file, KEYFERRY_ROOT_KEY, systemd's credential keyferry-root-key, DIR/root.key.`,
  options: settingsOptions,
  examples: [
    'keyferry serve --data /var/lib/keyferry --listen 127.0.0.1:8200',
    'keyferry serve --data ./data --listen 0.0.0.0:8200 --tls-cert chain.pem --tls-key key.pem',
    'KEYFERRY_DATA=./data keyferry serve --config keyferry.yaml',
  ],
} as const

/** What is said where no data folder is named. */
export function missingData(): Error {
  return usageError(spec, '--data DIR is missing')
}

export async function run(args: string[]): Promise<void> {
  const flags = parseCommand(spec, args)
  if (!flags) return
  process.umask(0o077)
  const loaded = readSettings(flags, process.env)
  const { settings } = loaded
  const { prepared, problems } = await prepare(loaded, process.env, missingData)
  if (!prepared) {
    const [first = missingData(), ...others] = problems
    throw firstOf(first, others)
  }
  const { data, listen, tls, azure, rootKeys } = prepared
  const log = createLog(settings.log)
  let gateway: Gateway | undefined
  let reloader: TlsReloader | undefined
  const stop = stopRequested(() => {
    log('info', 'SIGHUP: opening the audit log anew')
    gateway
      ?.reopen()
      .catch((error: unknown) => log('error', 'the audit log could not be opened anew', { error: String(error) }))
    void reloader?.reload()
  })
  const { startGateway } = await import('./gateway.ts')
  gateway = await startGateway({
    database: join(data, databaseFile),
    rootKeys,
    azure,
    listen,
    tls: tls?.present,
    http: settings.http,
    publicUrl: settings.publicUrl,
    metrics: settings.telemetry.metrics,
    keyPool: settings.keyPool,
    audit: auditOptions(settings.audit),
    limits: settings.limits as NamespaceLimits,
    reconcileEveryMs: settings.reconcileEveryMs,
    issuerHosts: settings.issuers.allowedHosts,
    context: { ...systemContext, log },
  })
  const { replaceTls } = gateway
  if (tls && replaceTls) reloader = new TlsReloader({ ...tls, replace: replaceTls, log })
  else if (!isLoopback(listen.host)) {
    log('warn', 'tokens and keys travel in the clear: other machines can reach this address, and it has no TLS')
  }
  if (process.env.KEYFERRY_FAILPOINT) {
    log(
      'warn',
      'KEYFERRY_FAILPOINT is set, for tests of crashes: this process may kill itself. Unset it where keys matter',
    )
  }
  console.log(`Keyferry ${version} answers at ${gateway.url}`)
  const signal = await stop
  log('info', `${signal}: stopping`)
  reloader?.stop()
  await gateway.close(settings.stopGraceMs)
  log('info', 'stopped')
  process.exit(exitCodes.ok)
}
