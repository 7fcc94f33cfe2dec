/** An Azure cloud: the hosts of its token authority and the DNS suffixes of its vaults and Managed HSMs. */
export interface Cloud {
  readonly name: string
  readonly authorities: readonly string[]
  readonly vaultSuffix: string
  readonly managedHsmSuffix: string
}

/** The clouds by Azure's own documents; the first authority host is the one that a challenge names. */
export const clouds: readonly [Cloud, ...Cloud[]] = [
  {
    name: 'AzurePublicCloud',
    authorities: ['login.microsoftonline.com', 'login.windows.net'],
    vaultSuffix: 'vault.azure.net',
    managedHsmSuffix: 'managedhsm.azure.net',
  },
  {
    name: 'AzureUSGovernmentCloud',
    authorities: ['login.microsoftonline.us'],
    vaultSuffix: 'vault.usgovcloudapi.net',
    managedHsmSuffix: 'managedhsm.usgovcloudapi.net',
  },
  {
    name: 'AzureChinaCloud',
    authorities: ['login.chinacloudapi.cn', 'login.partner.microsoftonline.cn'],
    vaultSuffix: 'vault.azure.cn',
    managedHsmSuffix: 'managedhsm.azure.cn',
  },
  {
    name: 'AzureGermanCloud',
    authorities: ['login.microsoftonline.de'],
    vaultSuffix: 'vault.microsoftazure.de',
    managedHsmSuffix: 'managedhsm.microsoftazure.de',
  },
]

/** The cloud that a vault suffix belongs to; the public one for a suffix of nobody's (a private cloud). */
export function cloudOfSuffix(suffix: string): Cloud {
  return clouds.find((cloud) => cloud.vaultSuffix === suffix || cloud.managedHsmSuffix === suffix) ?? clouds[0]
}

/** The cloud whose token authority answers at `hostname`, if any. */
export function cloudOfAuthority(hostname: string): Cloud | undefined {
  return clouds.find((cloud) => cloud.authorities.includes(hostname))
}
