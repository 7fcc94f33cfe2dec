import { invalid } from '../../core/errors.ts'
import { printable } from '../../core/keys/types.ts'
import type { KmsOwner, KmsSettings } from '../../core/kms/provider.ts'
import { type Cloud, type Clouds, defaultCloudName } from './clouds.ts'
import {
  type CredentialKey,
  checkCertificate,
  checkId,
  checkSecret,
  checkTenantId,
  type NamedKek,
  readCredentials,
  readNamedKek,
  type Written,
} from './credentials.ts'
import type { AmbientOptions } from './options.ts'
import { parseTarget, type Target } from './target.ts'

/** How to become somebody in Microsoft Entra ID. */
export type Authentication = { tenantId: string } & (
  | { kind: 'secret'; clientId: string; clientSecret: string }
  | { kind: 'certificate'; clientId: string; certificate: string }
  | { kind: 'federated'; clientId: string; tokenFile: string }
  | { kind: 'managed-identity'; identity: { clientId?: string; resourceId?: string; objectId?: string } }
)

/** The settings of a KMS with all that they mean here. */
export interface Resolved {
  cloud: Cloud
  target: Target
  authentication: Authentication
  namedKek: NamedKek | undefined
  warnings: string[]
}

/**
 * Takes the settings as written, whose they are, and what the operator allows; gives what to connect to and as whom. Precedence is
 * Vault's ("Azure Key Vault: authentication"), per value: the environment, then the KMS's credentials, then managed identity when
 * client id or secret is missing. The environment and managed identity are considered only where the operator lets them serve.
 * Touches no network. Throws `invalid` naming the field and what is allowed.
 */
export function resolveSettings(
  settings: KmsSettings,
  owner: KmsOwner,
  clouds: Clouds,
  ambient: AmbientOptions | undefined,
  now: number,
): Resolved {
  const written = readCredentials(settings.credentials)
  const serving = ambientFor(settings, written, owner, clouds, ambient)
  const warnings: string[] = []
  const value = (key: CredentialKey, variable: string): string | undefined => {
    const outer = serving?.environment?.[variable] || undefined
    if (outer !== undefined && written[key] !== undefined && written[key] !== outer) {
      warnings.push(`${key} was written, but the environment variable ${variable} takes precedence`)
    }
    return outer ?? written[key]
  }
  const cloud = clouds.get(value('environment', 'AZURE_ENVIRONMENT') ?? defaultCloudName)
  const target = parseTarget(settings.keyCollection, cloud)
  const tenantId = checkTenantId(value('tenant_id', 'AZURE_TENANT_ID'))
  const clientId = value('client_id', 'AZURE_CLIENT_ID')
  const clientSecret = value('client_secret', 'AZURE_CLIENT_SECRET')
  const authentication = choose({ tenantId, clientId, clientSecret, written, serving, now, warnings })
  return { cloud, target, authentication, namedKek: readNamedKek(written, target.collection), warnings }
}

/** The operator's ambient credentials, when they serve this namespace, this vault and this cloud. */
function ambientFor(
  settings: KmsSettings,
  written: Written,
  owner: KmsOwner,
  clouds: Clouds,
  ambient: AmbientOptions | undefined,
): AmbientOptions | undefined {
  if (!ambient || !(ambient.namespaces ?? ['']).includes(owner.namespacePath)) return undefined
  const variable = ambient.environment?.AZURE_ENVIRONMENT || undefined
  const cloud = operatorCloud(clouds, variable)
  if (variable === undefined && written.environment !== undefined && clouds.get(written.environment) !== cloud)
    return undefined
  let target: Target
  try {
    target = parseTarget(settings.keyCollection, cloud)
  } catch {
    return undefined
  }
  const vaults = ambient.vaults?.map((name) => name.toLowerCase())
  const bareName = target.kind === 'vault' ? target.name : undefined
  if (vaults && !vaults.some((name) => name === target.host || name === bareName)) return undefined
  return ambient
}

function operatorCloud(clouds: Clouds, variable: string | undefined): Cloud {
  try {
    return clouds.get(variable ?? defaultCloudName)
  } catch {
    throw invalid(`the environment variable AZURE_ENVIRONMENT names an unknown cloud, "${printable(variable ?? '')}"`)
  }
}

function choose(given: {
  tenantId: string
  clientId: string | undefined
  clientSecret: string | undefined
  written: Written
  serving: AmbientOptions | undefined
  now: number
  warnings: string[]
}): Authentication {
  const { tenantId, clientId, clientSecret, written, serving, warnings } = given
  const selected = selectedIdentity(written)
  if (clientId !== undefined && clientSecret !== undefined) {
    warnUnused(written, warnings)
    return {
      kind: 'secret',
      tenantId,
      clientId: checkId('client_id', clientId),
      clientSecret: checkSecret(clientSecret),
    }
  }
  if (written.client_certificate !== undefined) {
    if (clientId === undefined)
      throw invalid('client_id is missing: client_certificate needs the id of the application that it belongs to')
    if (selected)
      throw invalid('client_certificate and a managed identity cannot both be given: give the one that is to be used')
    const certificate = checkCertificate(written.client_certificate, given.now)
    warnings.push(...certificate.warnings)
    return { kind: 'certificate', tenantId, clientId: checkId('client_id', clientId), certificate: certificate.pem }
  }
  if (clientId !== undefined && !selected && serving?.federatedTokenFile) {
    return {
      kind: 'federated',
      tenantId,
      clientId: checkId('client_id', clientId),
      tokenFile: serving.federatedTokenFile,
    }
  }
  if (!serving?.managedIdentity) throw incomplete(clientId, clientSecret, selected !== undefined, serving)
  // As Azure's own tools have it, a client id without a secret names a user-assigned identity.
  if (!selected && clientId !== undefined)
    return { kind: 'managed-identity', tenantId, identity: { clientId: checkId('client_id', clientId) } }
  return { kind: 'managed-identity', tenantId, identity: selected ?? {} }
}

function selectedIdentity(written: Written): { clientId?: string; resourceId?: string; objectId?: string } | undefined {
  const chosen = [
    { key: 'managed_identity_client_id', as: 'clientId' },
    { key: 'managed_identity_resource_id', as: 'resourceId' },
    { key: 'managed_identity_object_id', as: 'objectId' },
  ] as const
  const found = chosen.filter(({ key }) => written[key] !== undefined)
  const [first] = found
  if (!first) return undefined
  if (found.length > 1) throw invalid(`only one of ${found.map(({ key }) => key).join(' and ')} can be given`)
  return { [first.as]: checkId(first.key, written[first.key] ?? '') }
}

function warnUnused(written: Written, warnings: string[]): void {
  for (const key of [
    'client_certificate',
    'managed_identity_client_id',
    'managed_identity_resource_id',
    'managed_identity_object_id',
  ] as const) {
    if (written[key] !== undefined)
      warnings.push(`${key} was written, but is not used: a client id and a client secret take precedence`)
  }
}

function incomplete(
  clientId: string | undefined,
  clientSecret: string | undefined,
  selected: boolean,
  serving: AmbientOptions | undefined,
): Error {
  const missing = [
    ...(clientId === undefined ? ['client_id'] : []),
    ...(clientSecret === undefined ? ['client_secret (or client_certificate)'] : []),
  ]
  const why = serving
    ? 'the operator does not allow managed identity'
    : "the operator's own credentials (environment, managed identity) do not serve this namespace and vault"
  if (selected) return invalid(`a managed identity cannot be used here: ${why}; give client_id and client_secret`)
  return invalid(`credentials are incomplete: ${missing.join(' and ')} missing, and ${why}`)
}
