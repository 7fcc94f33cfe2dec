import { readFileSync } from 'node:fs'
import type { AzureOptions, CloudOptions } from '../providers/azurekeyvault/options.ts'
import { CommandError, exitCodes, systemReason } from './exit-codes.ts'
import type { Environment } from './load.ts'
import type { Settings } from './settings.ts'

const variables = ['AZURE_TENANT_ID', 'AZURE_CLIENT_ID', 'AZURE_CLIENT_SECRET', 'AZURE_ENVIRONMENT'] as const

/**
 * What the operator decides about Azure: the settings, completed with the process's environment, which the provider itself never
 * reads. Vault reads AZURE_* too; whom they serve is the provider's rule (the root namespace alone, unless the settings say more).
 */
export function azureOptions(settings: Settings['azure'], environment: Environment): AzureOptions {
  const { clouds = {}, ambient = {}, proxy = {}, callTimeoutMs } = settings ?? {}
  const { environment: useEnvironment = true, ...serving } = ambient
  const read = useEnvironment ? environment : {}
  return {
    clouds: Object.fromEntries(Object.entries(clouds).map(([name, cloud]) => [name, cloudOptions(name, cloud)])),
    ambient: {
      ...serving,
      environment: Object.fromEntries(variables.map((name) => [name, read[name]])),
      federatedTokenFile: ambient.federatedTokenFile ?? read.AZURE_FEDERATED_TOKEN_FILE,
    },
    proxy: {
      httpsProxy: proxy.httpsProxy ?? environment.HTTPS_PROXY ?? environment.https_proxy,
      noProxy: proxy.noProxy ?? environment.NO_PROXY ?? environment.no_proxy,
    },
    callTimeoutMs,
  }
}

type CloudSettings = NonNullable<NonNullable<Settings['azure']>['clouds']>[string]

function cloudOptions(name: string, { caFile, ...cloud }: CloudSettings): CloudOptions {
  if (caFile === undefined) return cloud
  try {
    return { ...cloud, ca: readFileSync(caFile, 'utf8') }
  } catch (error) {
    throw new CommandError(
      exitCodes.config,
      `azure.clouds.${name}.caFile ${caFile} cannot be read: ${systemReason(error)}`,
    )
  }
}
