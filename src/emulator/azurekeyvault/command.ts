import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type KeyVaultEmulator, startKeyVaultEmulator, type VaultSpec } from './index.ts'

const usage = `Usage: keyferry emulator azurekeyvault [options]

  --listen HOST:PORT       where to listen (default 127.0.0.1:8443; port 0 takes any free one)
  --vault NAME[:KIND]      a vault; KIND is premium (default), standard or managedhsm; may be given again
  --ca-file FILE           where to write the CA's certificate (default: a temporary file)
  --tenant-id ID           of the service principal and the vaults (default: a random one)
  --client-id ID           of the service principal (default: a random one)
  --client-secret SECRET   of the service principal (default: a random one)
  --admin-token TOKEN      for the admin API (default: a random one)
  --managed-identity       also serve the managed-identity endpoint, for the same principal
  --help                   show this

Examples:
  keyferry emulator azurekeyvault
  keyferry emulator azurekeyvault --listen 127.0.0.1:0 --vault demo --vault pool:managedhsm > emulator.env`

const usageError = (problem: string) => new Error(`keyferry emulator: ${problem}\n\n${usage}`)

function parseCommand(args: string[]) {
  const text = { type: 'string' } as const
  try {
    return parseArgs({
      args,
      strict: true,
      allowPositionals: true,
      options: {
        listen: { ...text, default: '127.0.0.1:8443' },
        vault: { ...text, multiple: true },
        'ca-file': text,
        'tenant-id': text,
        'client-id': text,
        'client-secret': text,
        'admin-token': text,
        'managed-identity': { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    throw usageError(error instanceof Error ? error.message : 'the arguments cannot be read')
  }
}

function parseListen(value: string): { host: string; port: number } {
  const [, host, port = ''] = /^(.+):(\d{1,5})$/.exec(value) ?? []
  if (host === undefined || Number(port) > 65_535) {
    throw usageError(`--listen takes HOST:PORT, for example 127.0.0.1:8443, and not "${value}".`)
  }
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) }
}

function parseVault(value: string): VaultSpec {
  const [name = '', kind = 'premium', ...rest] = value.split(':')
  if (rest.length > 0 || (kind !== 'premium' && kind !== 'standard' && kind !== 'managedhsm')) {
    throw usageError(`--vault takes NAME or NAME:KIND with KIND premium, standard or managedhsm, and not "${value}".`)
  }
  return { name, kind }
}

/** A line that a POSIX shell can read. */
const variable = (name: string, value: string) => `${name}='${value.replaceAll("'", "'\\''")}'`

function describe(
  emulator: KeyVaultEmulator,
  caFile: string,
  principal: { tenantId: string; clientId: string; clientSecret: string },
): string {
  return [
    '# Azure Key Vault emulator: everything is in memory, and gone when it stops (Ctrl-C).',
    ...emulator.listVaults().map((vault) => `# Vault: ${vault.url} (${vault.kind})`),
    variable('EMULATOR_URL', emulator.url),
    variable('EMULATOR_CA_FILE', caFile),
    variable('EMULATOR_ADMIN_TOKEN', emulator.adminToken),
    // npx does not pass signals on, so a script that started it by npx needs this to stop it.
    variable('EMULATOR_PID', String(process.pid)),
    variable('AZURE_TENANT_ID', principal.tenantId),
    variable('AZURE_CLIENT_ID', principal.clientId),
    variable('AZURE_CLIENT_SECRET', principal.clientSecret),
    ...(emulator.imdsUrl === undefined ? [] : [variable('AZURE_POD_IDENTITY_AUTHORITY_HOST', emulator.imdsUrl)]),
    '',
  ].join('\n')
}

/**
 * `keyferry emulator azurekeyvault …`: starts an emulator, prints its address and credentials as lines that a shell can read, and runs until
 * SIGTERM or SIGINT.
 *
 * @param args what follows `keyferry emulator`; the name `azurekeyvault` may be left out, since there is no other emulator
 * @throws {Error} with the usage, for arguments that are not allowed; what `listen` throws when the address is taken
 */
export async function emulatorCommand(args: string[]): Promise<void> {
  const { values, positionals } = parseCommand(args)
  if (values.help) {
    process.stdout.write(`${usage}\n`)
    return
  }
  const [name = 'azurekeyvault', ...more] = positionals
  if (name !== 'azurekeyvault' || more.length > 0) {
    throw usageError(`there is one emulator, azurekeyvault, and not "${positionals.join(' ')}".`)
  }
  const principal = {
    tenantId: values['tenant-id'] ?? randomUUID(),
    clientId: values['client-id'] ?? randomUUID(),
    clientSecret: values['client-secret'] ?? randomBytes(24).toString('base64url'),
  }
  const vaults = (values.vault ?? ['keyferry:premium', 'keyferry-standard:standard']).map(parseVault)
  const listen = parseListen(values.listen)
  let emulator: KeyVaultEmulator
  try {
    emulator = await startKeyVaultEmulator({
      ...listen,
      vaults,
      principals: [{ ...principal, managedIdentity: values['managed-identity'] }],
      managedIdentity: values['managed-identity'],
      ...(values['admin-token'] === undefined ? {} : { adminToken: values['admin-token'] }),
    })
  } catch (error) {
    if (error instanceof TypeError) throw usageError(error.message)
    throw error
  }
  const folder = values['ca-file'] === undefined ? await mkdtemp(join(tmpdir(), 'keyferry-emulator-')) : undefined
  try {
    const caFile = values['ca-file'] ?? join(folder ?? '', 'ca.pem')
    await writeFile(caFile, emulator.caCertificate)
    const stopped = new Promise<void>((resolve) => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve())
    })
    process.stdout.write(describe(emulator, caFile, principal))
    await stopped
  } finally {
    await emulator.close()
    if (folder !== undefined) await rm(folder, { recursive: true, force: true })
  }
}
