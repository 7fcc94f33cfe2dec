import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { azureOptions } from '../config/azure.ts'
import { CommandError, exitCodeOf, exitCodes, systemReason } from '../config/exit-codes.ts'
import { type ListenAddress, listenForm, parseListen } from '../config/listen.ts'
import type { Environment, Loaded } from '../config/load.ts'
import { describedAt } from '../config/schema.ts'
import type { SaidSettings, Settings } from '../config/settings.ts'
import { flatten } from '../config/tree.ts'
import { KeyferryError } from '../core/errors.ts'
import { type RootKeys, zeroRoots } from '../core/seal/unsealing.ts'
import type { AzureOptions } from '../providers/azurekeyvault/options.ts'
import { denoApi } from '../serve/deno.ts'
import type { Tls } from '../serve/tls.ts'
import { checkDataFolder, refuseDevFolder } from './data-folder.ts'
import { readRootKeys } from './root-keys.ts'
import { readTls, type TlsFiles, tlsFiles } from './tls-files.ts'

/** What a gateway is started with, read from where the settings say and found good. */
export interface Prepared {
  data: string
  listen: ListenAddress
  tls: { files: TlsFiles; present: Tls } | undefined
  azure: AzureOptions
  /** Whoever gets them zeroes them. */
  rootKeys: RootKeys
}

/**
 * All that `keyferry serve` checks before it opens the database and listens, and that `keyferry config check` checks too. What hangs on a
 * setting that is known to be wrong is not looked at. Gives what was prepared, or every problem; throws only what is a fault of the program.
 */
export async function prepare(
  { settings, problems: known, placeOf }: Loaded,
  environment: Environment,
  missingData: () => Error,
): Promise<{ prepared: Prepared; problems: [] } | { prepared: undefined; problems: Error[] }> {
  const problems: Error[] = known.map(({ sentence }) => new CommandError(exitCodes.config, sentence))
  const doubtful = new Set(known.map(({ path }) => path[0]))
  /** `about`: the setting whose place in the file is told. */
  const attempt = async <T>(about: string[], work: () => T | Promise<T>): Promise<T | undefined> => {
    if (doubtful.has(about[0])) return undefined
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof CommandError || error instanceof KeyferryError)) throw error
      const place = placeOf(about)
      const placed = () => new CommandError(exitCodeOf(error), `${place}: ${error.message}`, { cause: error })
      problems.push(place === undefined ? error : placed())
      return undefined
    }
  }
  const data = await attempt(['data'], () => dataFolder(settings.data, missingData))
  const listen = await attempt(['listen'], () => listenAddress(settings.listen))
  const tls = await attempt(['tls', 'cert'], () => readPair(settings.tls))
  await attempt(['audit', 'file'], () => checkAuditFile(settings.audit.file))
  const before = problems.length
  const { proxy, ambient, clouds } = settings.azure
  // Parts that are wrong or not by themselves, so that each is told with its place.
  await attempt(['azure', 'proxy'], () => checkedAzure({ proxy }, environment))
  await attempt(['azure', 'ambient'], () => checkedAzure({ ambient }, {}))
  for (const [name, cloud] of Object.entries(clouds)) {
    await attempt(['azure', 'clouds', name], () => checkedAzure({ clouds: { [name]: cloud } }, {}))
  }
  const together = () => checkedAzure(settings.azure, environment)
  const azure = problems.length > before ? undefined : await attempt(['azure', 'clouds'], together)
  if (denoApi()) problems.push(...notOnDeno(settings))
  const rootKeys =
    data === undefined ? undefined : await attempt(['rootKey', 'file'], () => readRootKeys(settings, data))
  if (problems.length > 0 || data === undefined || !listen || !azure || !rootKeys) {
    if (rootKeys) zeroRoots(rootKeys)
    return { prepared: undefined, problems }
  }
  return { prepared: { data, listen, tls, azure, rootKeys }, problems: [] }
}

function dataFolder(data: string | undefined, missing: () => Error): string {
  if (data === undefined) throw missing()
  checkDataFolder(data)
  refuseDevFolder(data)
  return data
}

function listenAddress(text: string): ListenAddress {
  const address = parseListen(text)
  if (address) return address
  throw new CommandError(exitCodes.config, `"${text}" is not allowed: the listen address must be ${listenForm}`)
}

function readPair(settings: Settings['tls']): Prepared['tls'] {
  const files = tlsFiles(settings)
  return files && { files, present: readTls(files) }
}

/** Whether lines can be added, without making the file: it would belong to whoever checks. */
function checkAuditFile(file: string | undefined): void {
  if (file === undefined) return
  const path = resolve(file)
  const there = existsSync(path)
  try {
    accessSync(there ? path : dirname(path), constants.W_OK)
    if (!there || !statSync(path).isDirectory()) return
  } catch (error) {
    const what = there
      ? `the audit file ${file} cannot be written`
      : `the audit file ${file} cannot be made in its folder`
    throw new CommandError(exitCodes.config, `${what}: ${systemReason(error)}`)
  }
  throw new CommandError(exitCodes.config, `the audit file ${file} cannot be written: it is a folder`)
}

/** The provider itself says whether it can work with them. */
async function checkedAzure(settings: SaidSettings['azure'], environment: Environment): Promise<AzureOptions> {
  const options = azureOptions(settings, environment)
  const { createAzureKeyVaultProvider } = await import('../providers/azurekeyvault/index.ts')
  createAzureKeyVaultProvider(options)
  return options
}

/** What Deno's own server decides. A limit that is set and not kept would be worse than none. */
export function notOnDeno({ tls, http }: Settings): CommandError[] {
  const { headerTimeoutMs, bodyTimeoutMs, keepAliveMs, maxHeaderBytes } = http
  const settings = {
    tls: { minVersion: tls.minVersion },
    http: { headerTimeoutMs, bodyTimeoutMs, keepAliveMs, maxHeaderBytes },
  }
  return flatten(settings)
    .filter(([path, value]) => value !== describedAt(path).default)
    .map(([path]) => {
      const problem = `${path.join('.')} cannot be set on Deno, whose own server decides it: take it out`
      return new CommandError(exitCodes.config, problem)
    })
}
