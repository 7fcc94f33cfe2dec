import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import { azureOptions } from '../config/azure.ts'
import { CommandError, exitCodes, systemReason } from '../config/exit-codes.ts'
import { defaultListen, isLoopback, type ListenAddress, listenForm, parseListen } from '../config/listen.ts'
import { loadSettings } from '../config/load.ts'
import type { Settings } from '../config/settings.ts'
import { sources } from '../config/sources.ts'
import type { NamespaceLimits } from '../core/access/limits.ts'
import { systemContext } from '../core/context.ts'
import { version } from '../version.ts'
import { auditOptions } from './audit-options.ts'
import { type Option, parseCommand, required } from './command.ts'
import { checkDataFolder, databaseFile, refuseDevFolder } from './data-folder.ts'
import type { Gateway } from './gateway.ts'
import { createLog } from './log.ts'
import { readRootKeys } from './root-keys.ts'
import { stopRequested } from './stop.ts'

const options: Record<string, Option> = {}
for (const { flag, value, help } of sources) options[flag] = { type: 'string', value, help }
options.config = { type: 'string', value: 'FILE', help: 'a configuration file (JSON)' }

const spec = {
  name: 'serve',
  usage: '--data DIR [--listen HOST:PORT] [FLAGS]',
  about: `Runs the gateway on a data folder until SIGTERM or SIGINT, which let requests under way end; a second one stops
at once. Flags win over environment variables (KEYFERRY_LISTEN for --listen, and so on), those over the file.
The root key is the first of: --root-key-file, KEYFERRY_ROOT_KEY, systemd's credential keyferry-root-key, DIR/root.key.`,
  options,
  examples: [
    'keyferry serve --data /var/lib/keyferry --listen 127.0.0.1:8200',
    'keyferry serve --data ./data --listen 0.0.0.0:8200 --tls-cert chain.pem --tls-key key.pem',
    'KEYFERRY_DATA=./data keyferry serve --config keyferry.json',
  ],
} as const

const stopGraceMs = 10_000

export async function run(args: string[]): Promise<void> {
  const flags = parseCommand(spec, args)
  if (!flags) return
  const settings = loadSettings(flags, process.env)
  const data = required(spec, 'data', settings.data)
  process.umask(0o077)
  checkDataFolder(data)
  refuseDevFolder(data)
  const log = createLog({ level: settings.log?.level, format: settings.log?.format })
  const listen = listenAddress(settings.listen)
  const tls = readTls(settings.tls)
  let gateway: Gateway | undefined
  const stop = stopRequested(() => {
    log('info', 'SIGHUP: opening the audit log anew')
    gateway
      ?.reopen()
      .catch((error: unknown) => log('error', 'the audit log could not be opened anew', { error: String(error) }))
  })
  const { startGateway } = await import('./gateway.ts')
  gateway = await startGateway({
    database: join(data, databaseFile),
    rootKeys: await readRootKeys(settings, data),
    azure: azureOptions(settings.azure, process.env),
    listen,
    tls,
    keyPool: settings.keyPool as Record<string, number> | undefined,
    audit: auditOptions(settings.audit),
    limits: settings.limits as NamespaceLimits | undefined,
    reconcileEveryMs: settings.reconcileEveryMs,
    issuerHosts: settings.issuers?.allowedHosts,
    context: { ...systemContext, log },
  })
  if (!tls && !isLoopback(listen.host)) {
    log('warn', 'tokens and keys travel in the clear: other machines can reach this address, and it has no TLS')
  }
  console.log(`Keyferry ${version} answers at ${gateway.url}`)
  const signal = await stop
  log('info', `${signal}: stopping`)
  await gateway.close(settings.stopGraceMs ?? stopGraceMs)
  log('info', 'stopped')
  process.exit(exitCodes.ok)
}

function listenAddress(text = defaultListen): ListenAddress {
  const address = parseListen(text)
  if (!address)
    throw new CommandError(exitCodes.config, `"${text}" is not allowed: the listen address must be ${listenForm}`)
  return address
}

/** Reads certificate and key, and tries them, so that a wrong file stops the start and not the first caller. */
function readTls(tls: Settings['tls']): { cert: string; key: string } | undefined {
  if (tls?.cert === undefined && tls?.key === undefined) return undefined
  if (tls.cert === undefined || tls.key === undefined) {
    throw new CommandError(
      exitCodes.config,
      `--tls-cert and --tls-key go together: ${tls.cert === undefined ? '--tls-cert' : '--tls-key'} is missing`,
    )
  }
  const files = { cert: readPem(tls.cert, 'certificate'), key: readPem(tls.key, 'private key') }
  try {
    createSecureContext(files)
  } catch (error) {
    throw new CommandError(
      exitCodes.config,
      `the certificate ${tls.cert} and the private key ${tls.key} cannot be used together: both must be PEM, and a pair`,
      { cause: error },
    )
  }
  return files
}

function readPem(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new CommandError(exitCodes.config, `the ${what} ${file} cannot be read: ${systemReason(error)}`)
  }
}
