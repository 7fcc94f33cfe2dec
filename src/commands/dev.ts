import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { azureOptions } from '../config/azure.ts'
import { CommandError, exitCodes } from '../config/exit-codes.ts'
import { defaultListen, isLoopback, listenForm, parseListen } from '../config/listen.ts'
import { unsealing } from '../config/root-key.ts'
import { systemContext } from '../core/context.ts'
import type { Core } from '../core/core.ts'
import { unseal } from '../core/seal/unsealing.ts'
import type { KeyVaultEmulator } from '../emulator/azurekeyvault/index.ts'
import { parseCommand, usageError } from './command.ts'
import { checkDataFolder, databaseFile, devFile, makeDataFolder } from './data-folder.ts'
import { devBanner } from './dev-banner.ts'
import { type DevPrincipal, newDevPrincipal, premiumVault, standardVault } from './dev-principal.ts'
import { prepareEnvFile, writeEnvFile } from './env-file.ts'
import { createLog } from './log.ts'
import { stopRequested } from './stop.ts'

const spec = {
  name: 'dev',
  usage: '[FLAGS]',
  about: `A gateway to try things on, ready in under a second, with a Key Vault emulator inside. Its state is in a temporary
folder and gone when it stops, unless --data says where to keep it; what is in the emulator's vaults is always gone.
In a clone, "npx -- keyferry dev" and "npm start --" take these flags. (Without the --, Node itself would read FILE.)`,
  options: {
    listen: { type: 'string', value: 'HOST:PORT', help: '127.0.0.1:8200 unless told; port 0 takes a free one' },
    data: { type: 'string', value: 'DIR', help: 'keep the state here; made when it is not there' },
    'dev-root-token-id': {
      type: 'string',
      value: 'TOKEN',
      help: 'the root token, any string; a random one unless told',
    },
    'env-file': {
      type: 'string',
      value: 'FILE',
      help: "write addresses and credentials here once ready, as KEY='value' lines",
    },
    'use-azure-environment': {
      type: 'boolean',
      help: "the real Azure with this shell's AZURE_* variables, and no emulator",
    },
    verbose: { type: 'boolean', help: 'log to standard error what goes on' },
  },
  examples: [
    'keyferry dev',
    'keyferry dev --listen 127.0.0.1:0 --env-file dev.env',
    'keyferry dev --data ./dev-data --dev-root-token-id root',
  ],
} as const

export async function run(args: string[]): Promise<void> {
  const options = parseCommand(spec, args)
  if (!options) return
  const listen = parseListen(options.listen ?? defaultListen)
  if (!listen) throw usageError(spec, `--listen ${options.listen} is not allowed: it must be ${listenForm}`)
  const envFile = options['env-file']
  if (envFile !== undefined) prepareEnvFile(envFile)

  const folder = options.data === undefined ? temporaryFolder() : resolve(options.data)
  const principal = await openDevFolder(folder)
  const token = options['dev-root-token-id'] ?? `dev-${randomBytes(18).toString('base64url')}`
  const stop = stopRequested()
  const [{ startGateway }, { startDevEmulator, throughEmulator }] = await Promise.all([
    import('./gateway.ts'),
    import('./dev-emulator.ts'),
  ])
  const emulator = options['use-azure-environment'] ? undefined : await startDevEmulator(principal)
  const gateway = await startGateway({
    database: join(folder, databaseFile),
    rootKeys: await unseal(unsealing({ file: undefined, dataFolder: folder, environment: {} })),
    azure: emulator ? throughEmulator(emulator) : azureOptions(undefined, process.env),
    listen,
    context: { ...systemContext, log: createLog({ level: options.verbose ? 'info' : 'warn', format: 'text' }) },
    prepare: (core) => useDevToken(core, token),
  })

  const values = {
    VAULT_ADDR: gateway.url,
    VAULT_TOKEN: token,
    ...(emulator && emulatorValues(emulator, principal, folder)),
  }
  if (envFile !== undefined) writeEnvFile(envFile, values)
  console.log(devBanner({ values, kept: options.data, reachable: !isLoopback(listen.host) }))

  await stop
  await gateway.close(2_000)
  await emulator?.close()
  process.exit(exitCodes.ok)
}

/** Gone when the process ends, however it ends (but for a kill). */
function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'keyferry-dev-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Makes the folder where it is not there or empty; gives who may use the emulator's vaults. */
async function openDevFolder(folder: string): Promise<DevPrincipal> {
  const file = join(folder, devFile)
  if (existsSync(join(folder, databaseFile))) {
    if (!existsSync(file)) {
      throw new CommandError(
        exitCodes.config,
        `${folder} is a data folder of "keyferry serve": dev mode, with its root token of any kind, stays away from it. Choose another folder`,
      )
    }
    checkDataFolder(folder)
    process.umask(0o077)
  } else {
    await makeDataFolder(folder, { [devFile]: `${JSON.stringify(newDevPrincipal(), null, 2)}\n` })
  }
  return readPrincipal(file)
}

function readPrincipal(file: string): DevPrincipal {
  try {
    const { tenantId, clientId, clientSecret } = JSON.parse(readFileSync(file, 'utf8')) as Partial<DevPrincipal>
    if (tenantId && clientId && clientSecret) return { tenantId, clientId, clientSecret }
  } catch {
    // Said below, as for a file that lacks something.
  }
  throw new CommandError(
    exitCodes.config,
    `${file} is damaged: take the folder away, and "keyferry dev" makes a new one`,
  )
}

async function useDevToken(core: Core, token: string): Promise<void> {
  const root = await core.namespace('')
  if (!root) throw new CommandError(exitCodes.data, 'the database has no root namespace')
  await core.tokens.useOpaqueRoot(token, root)
}

/** What a client of the emulator must know. The names are those that Azure's own tools read. */
function emulatorValues(emulator: KeyVaultEmulator, principal: DevPrincipal, folder: string): Record<string, string> {
  const caFile = join(folder, 'emulator-ca.pem')
  writeFileSync(caFile, emulator.caCertificate)
  return {
    AZURE_TENANT_ID: principal.tenantId,
    AZURE_CLIENT_ID: principal.clientId,
    AZURE_CLIENT_SECRET: principal.clientSecret,
    KEY_VAULT_NAME: premiumVault,
    KEY_VAULT_STANDARD_NAME: standardVault,
    EMULATOR_URL: emulator.url,
    EMULATOR_CA_FILE: caFile,
    EMULATOR_ADMIN_TOKEN: emulator.adminToken,
  }
}
