import { X509Certificate } from 'node:crypto'
import { invalid, oneOf } from '../../core/errors.ts'
import { printable } from '../../core/keys/types.ts'
import { type Address, parseAddress } from './network.ts'
import type { CloudOptions } from './options.ts'

/** One cloud, complete: a built-in one, perhaps overridden, or one of the operator's own. */
export interface Cloud {
  name: string
  /** Origin, without a final slash. */
  authorityHost: string
  vaultSuffix: string
  managedHsmSuffix: string | undefined
  instanceDiscovery: boolean
  connectTo: Address | undefined
  authorityConnectTo: Address | undefined
  ca: string | undefined
  serviceVersion: string | undefined
  kekType: 'RSA-HSM' | 'RSA'
  tokenResource: string | undefined
}

/**
 * Microsoft's clouds with every name that Vault and go-autorest accept (Azure/go-autorest, autorest/azure/environments.go), plus the
 * Azure command line's `AzureUSGovernment`. Germany's closed in 2021 and is kept, since Vault accepts it.
 */
const builtIn = [
  {
    name: 'AzurePublicCloud',
    aliases: ['AzureCloud'],
    authorityHost: 'https://login.microsoftonline.com',
    vaultSuffix: 'vault.azure.net',
    managedHsmSuffix: 'managedhsm.azure.net',
  },
  {
    name: 'AzureUSGovernmentCloud',
    aliases: ['AzureUSGovernment'],
    authorityHost: 'https://login.microsoftonline.us',
    vaultSuffix: 'vault.usgovcloudapi.net',
    managedHsmSuffix: 'managedhsm.usgovcloudapi.net',
  },
  {
    name: 'AzureChinaCloud',
    aliases: [],
    authorityHost: 'https://login.chinacloudapi.cn',
    vaultSuffix: 'vault.azure.cn',
    managedHsmSuffix: 'managedhsm.azure.cn',
  },
  {
    name: 'AzureGermanCloud',
    aliases: [],
    authorityHost: 'https://login.microsoftonline.de',
    vaultSuffix: 'vault.microsoftazure.de',
    managedHsmSuffix: undefined,
  },
]

export const defaultCloudName = 'AzurePublicCloud'

/** The clouds that this process knows. */
export interface Clouds {
  /** Finds a cloud by any of its names in any case. Throws `invalid` with the names that are allowed. */
  get(name: string): Cloud
  /** Whether a `key_collection` names a Managed HSM, in whichever cloud. */
  isManagedHsm(keyCollection: string): boolean
}

/** Takes the operator's clouds; gives them with the built-in ones. Throws `invalid` for an operator's mistake. */
export function buildClouds(configured: Readonly<Record<string, CloudOptions>> = {}): Clouds {
  const byName = new Map<string, Cloud>()
  const given = new Map(Object.entries(configured).map(([name, options]) => [name.toUpperCase(), { name, options }]))
  for (const base of builtIn) {
    const names = [base.name, ...base.aliases].map((name) => name.toUpperCase())
    const overrides = names.flatMap((name) => given.get(name)?.options ?? [])
    if (overrides.length > 1) throw invalid(`the cloud ${base.name} is configured twice, under two of its names`)
    for (const name of names) given.delete(name)
    const cloud = completeCloud(base.name, { instanceDiscovery: true, ...base, ...defined(overrides[0] ?? {}) })
    for (const name of names) byName.set(name, cloud)
  }
  for (const [key, { name, options }] of given) byName.set(key, completeCloud(name, options))
  const all = [...new Set(byName.values())]
  refuseSharedSuffixes(all)
  return {
    get(name) {
      const cloud = byName.get(name.toUpperCase())
      if (cloud) return cloud
      const allowed = all.map((known) => known.name)
      throw invalid(`unknown environment "${printable(name)}": allowed are ${oneOf(allowed)}`)
    },
    isManagedHsm(keyCollection) {
      const suffix = keyCollection.toLowerCase().replace(/^[^.]*\./, '')
      return all.some((cloud) => cloud.managedHsmSuffix === suffix)
    },
  }
}

function completeCloud(name: string, options: CloudOptions): Cloud {
  const fail = (problem: string) =>
    invalid(`the configuration of the cloud ${printable(name)} is not valid: ${problem}`)
  const vaultSuffix = options.vaultSuffix && suffix(options.vaultSuffix)
  if (!vaultSuffix) throw fail('vaultSuffix must be a DNS name such as vault.azure.net')
  const managedHsmSuffix = options.managedHsmSuffix === undefined ? undefined : suffix(options.managedHsmSuffix)
  if (options.managedHsmSuffix !== undefined && !managedHsmSuffix) throw fail('managedHsmSuffix must be a DNS name')
  const kekType = options.kekType ?? 'RSA-HSM'
  if (kekType !== 'RSA-HSM' && builtIn.some((base) => vaultSuffix.endsWith(base.vaultSuffix))) {
    throw fail(
      "kekType RSA is allowed only under a suffix of your own: Azure's own vaults have an HSM for the key encryption key",
    )
  }
  return {
    name,
    authorityHost: origin(options.authorityHost) ?? raise(fail('authorityHost must be an https URL without a path')),
    vaultSuffix,
    managedHsmSuffix,
    instanceDiscovery: options.instanceDiscovery ?? false,
    connectTo: address(options.connectTo, 'connectTo', fail),
    authorityConnectTo: address(options.authorityConnectTo, 'authorityConnectTo', fail),
    ca: certificates(options.ca, fail),
    serviceVersion: options.serviceVersion,
    kekType,
    tokenResource: options.tokenResource?.replace(/\/+$/, ''),
  }
}

/** A vault's origin is its identity, in every namespace: two clouds that share a suffix would make one of two vaults. */
function refuseSharedSuffixes(clouds: readonly Cloud[]): void {
  const owners = new Map<string, string>()
  for (const cloud of clouds) {
    for (const name of new Set([cloud.vaultSuffix, cloud.managedHsmSuffix])) {
      if (name === undefined) continue
      const owner = owners.get(name)
      if (owner)
        throw invalid(`the clouds ${owner} and ${cloud.name} have the same DNS suffix ${name}; each needs its own`)
      owners.set(name, cloud.name)
    }
  }
}

function suffix(text: string): string | undefined {
  const name = text.replace(/^\./, '').toLowerCase()
  return /^(?=.{1,200}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$/.test(name) ? name : undefined
}

function origin(text: string | undefined): string | undefined {
  const url = text === undefined ? null : URL.parse(text)
  if (url?.protocol !== 'https:' || url.pathname !== '/' || url.search || url.hash || url.username) return undefined
  return url.origin
}

function address(text: string | undefined, field: string, fail: (problem: string) => Error): Address | undefined {
  if (text === undefined) return undefined
  return parseAddress(text) ?? raise(fail(`${field} must be HOST:PORT`))
}

/** Read once here, so that a wrong file stops the start and not the first call. */
function certificates(pem: string | undefined, fail: (problem: string) => Error): string | undefined {
  if (pem === undefined) return undefined
  try {
    const found = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? []
    if (found.map((one) => new X509Certificate(one)).length > 0) return pem
  } catch {
    // Said below, as for a text without any certificate.
  }
  throw fail('ca must be certificates in PEM')
}

function defined(options: CloudOptions): CloudOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

function raise(error: Error): never {
  throw error
}
