import type { Cloud } from './clouds.ts'
import { because, record, VaultError } from './errors.ts'
import type { Route } from './network.ts'
import { redact } from './redact.ts'
import type { Authentication } from './settings.ts'
import { transportTrouble } from './transport.ts'

/** How the last request to the authority failed: an answer, or none; or that the token file could not be read. */
export type AuthorityTrouble =
  | { status: number; body: string; retryAfterMs?: number | undefined }
  | { error: unknown }
  | { unreadableFile: string }

/** Plain words for Microsoft Entra ID's codes (Microsoft Learn, "Microsoft Entra authentication and authorization error codes"). */
const explanations: Readonly<Record<string, string>> = {
  '90002': 'there is no such tenant in this cloud: check tenant_id and environment',
  '900023': 'tenant_id is not the id of a tenant: it must be a GUID or a domain name',
  '900021': 'tenant_id is not the id of a tenant: it must be a GUID or a domain name',
  '700016': 'there is no application with this client_id in the tenant: check client_id and tenant_id',
  '7000229': 'the application has no service principal in the tenant',
  '7000215': 'client_secret is wrong: is it the value of the secret, and not its id?',
  '7000222': 'client_secret has expired: make a new one and write it into the KMS',
  '7000112': 'the application is disabled',
  '700027': 'the certificate is not registered with the application, or its key does not belong to it',
  '700024': 'the assertion is not valid now: is the clock of this machine right, and the token file fresh?',
  '70021': 'no federated credential of the application matches the token in the file',
  '700211': 'no federated credential of the application matches the issuer of the token in the file',
  '700212': 'no federated credential of the application matches the audience of the token in the file',
  '700213': 'no federated credential of the application matches the subject of the token in the file',
  '500011': 'the tenant does not know the resource that the vault asks tokens for: check environment',
  '53003': 'a conditional access policy of the tenant forbids it',
  '50076': 'the tenant asks for a second factor, which a service cannot give',
}

/**
 * A token that was not to be had, as an error without effect: `refused` when the authority said no, else `unavailable`
 * (`throttled` at 429).
 */
export function tokenError(given: {
  authentication: Authentication
  cloud: Cloud
  /** The way to the authority. */
  route: Route
  error: unknown
  trouble: AuthorityTrouble | undefined
  secrets: readonly string[]
}): VaultError {
  const { authentication, cloud, route, error, trouble, secrets } = given
  if (error instanceof VaultError) return error
  const managed = authentication.kind === 'managed-identity'
  const host = managed ? 'the managed identity endpoint of this machine' : new URL(cloud.authorityHost).host
  const start = `no token for ${describe(authentication)}`
  const cause = trouble ?? innermost(error)
  if ('unreadableFile' in cause) {
    const file = "the operator's federated token file cannot be read"
    return new VaultError('unavailable', `${start}: ${file} (${cause.unreadableFile})`)
  }
  if ('error' in cause) {
    // MSAL keeps nothing of why a managed identity endpoint did not answer.
    if (managed)
      return new VaultError(
        'unavailable',
        `${start}: ${host} does not answer: is this a machine with such an identity?`,
      )
    const { sentence, code } = transportTrouble(host, cause.error, route)
    const timedOut = record(cause.error)?.name === 'AbortError'
    return new VaultError('unavailable', `${start}: ${timedOut ? `${host} did not answer in time` : sentence}`, {
      ...(code && { serviceCode: code }),
    })
  }
  const said = saidBy(cause.body) ?? (error instanceof Error ? error.message : '')
  const code = /AADSTS(\d{4,8})/.exec(said)?.[1]
  const reason = code === undefined ? undefined : explanations[code]
  const detail = `${host} answered ${cause.status}${said ? `: "${redact(said, secrets)}"` : ''}`
  const kind = kindOf(cause.status)
  const why = reason ?? (managed && kind === 'refused' ? 'there is no such identity' : undefined)
  const { retryAfterMs } = cause
  return new VaultError(kind, `${start}${because(why)} ${detail}`, {
    ...(code && { serviceCode: `AADSTS${code}` }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  })
}

function kindOf(status: number): VaultError['kind'] {
  if (status === 429) return 'throttled'
  return status >= 500 || status < 400 || status === 407 ? 'unavailable' : 'refused'
}

function describe(authentication: Authentication): string {
  if (authentication.kind !== 'managed-identity')
    return `client_id ${authentication.clientId} of tenant ${authentication.tenantId}`
  const { clientId, resourceId, objectId } = authentication.identity
  const id = clientId ?? resourceId ?? objectId
  return id === undefined ? 'the managed identity of this machine' : `the managed identity ${id}`
}

/** OAuth's `error_description` (RFC 6749, section 5.2), or the little that there is. */
function saidBy(body: string): string | undefined {
  try {
    const parsed = record(JSON.parse(body))
    const said = parsed?.error_description ?? parsed?.error
    return typeof said === 'string' ? said : undefined
  } catch {
    return undefined
  }
}

/** Managed identity's errors wrap the one that tells, some levels deep. */
function innermost(error: unknown): AuthorityTrouble {
  let current = error
  for (let depth = 0; depth < 6; depth++) {
    const here = record(current)
    const status = here?.status ?? here?.statusCode
    if (typeof status === 'number') return { status, body: '' }
    if (here?.cause === undefined) break
    current = here.cause
  }
  return { error: current }
}
