import { readFileSync } from 'node:fs'
import type { AzureOptions, CloudOptions } from '../providers/azurekeyvault/options.ts'
import { CommandError, exitCodes, systemReason } from './exit-codes.ts'
import type { Environment } from './load.ts'
import type { SaidSettings, Settings } from './settings.ts'

const variables = ['AZURE_TENANT_ID', 'AZURE_CLIENT_ID', 'AZURE_CLIENT_SECRET', 'AZURE_ENVIRONMENT'] as const

/** Variables that other programs know too, for settings that are not given. */
export const usualVariables = {
  'azure.ambient.federatedTokenFile': ['AZURE_FEDERATED_TOKEN_FILE'],
  'azure.proxy.httpsProxy': ['HTTPS_PROXY', 'https_proxy'],
  'azure.proxy.noProxy': ['NO_PROXY', 'no_proxy'],
} as const

/** What such a variable says in the place of a setting, where one does. */
export function usualValue(
  setting: keyof typeof usualVariables,
  settings: SaidSettings['azure'],
  environment: Environment,
): { variable: string; value: string } | undefined {
  if (setting === 'azure.ambient.federatedTokenFile' && settings?.ambient?.environment === false) return undefined
  for (const variable of usualVariables[setting]) {
    const value = environment[variable]
    if (value !== undefined) return { variable, value }
  }
  return undefined
}

/**
 * What the operator decides about Azure: the settings, completed with the process's environment, which the provider itself never
 * reads. Vault reads AZURE_* too; whom they serve is the provider's rule (the root namespace alone, unless the settings say more).
 */
export function azureOptions(settings: SaidSettings['azure'], environment: Environment): AzureOptions {
  const { clouds = {}, ambient = {}, proxy = {}, callTimeoutMs } = settings ?? {}
  const { environment: useEnvironment = true, ...serving } = ambient
  const read = useEnvironment ? environment : {}
  const usual = (name: keyof typeof usualVariables) => usualValue(name, settings, environment)?.value
  return {
    clouds: Object.fromEntries(Object.entries(clouds).map(([name, cloud]) => [name, cloudOptions(name, cloud)])),
    ambient: {
      ...serving,
      environment: Object.fromEntries(variables.map((name) => [name, read[name]])),
      federatedTokenFile: ambient.federatedTokenFile ?? usual('azure.ambient.federatedTokenFile'),
    },
    proxy: {
      httpsProxy: proxy.httpsProxy ?? usual('azure.proxy.httpsProxy'),
      noProxy: proxy.noProxy ?? usual('azure.proxy.noProxy'),
    },
    callTimeoutMs,
  }
}

type CloudSettings = Settings['azure']['clouds'][string]

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
