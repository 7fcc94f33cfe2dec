import { readFile } from 'node:fs/promises'
import type { AccessToken, ClientSecretCredentialOptions, GetTokenOptions, TokenCredential } from '@azure/identity'
import type { Cloud } from './clouds.ts'
import { isGuid } from './credentials.ts'
import { readRetryAfter, record, VaultError } from './errors.ts'
import type { Route } from './network.ts'
import { loadIdentity } from './sdk.ts'
import type { Authentication } from './settings.ts'
import { type AuthorityTrouble, tokenError } from './token-errors.ts'

type Policy = NonNullable<ClientSecretCredentialOptions['additionalPolicies']>[number]['policy']
type Agent = NonNullable<ClientSecretCredentialOptions['agent']>

export interface TokenSourceOptions {
  authentication: Authentication
  cloud: Cloud
  /** For the authority, and for managed identity endpoints. */
  agent: Agent
  metadataAgent: Agent
  /** The way to the authority. */
  route: Route
  secrets: readonly string[]
  /** For one request to the authority, in ms. */
  timeoutMs: number
  now: () => number
}

/**
 * A credential for one KMS that fails only with `VaultError` (effect `none`: a call whose token is missing is not sent). Callers
 * that need the same token at once share one request for it, and each stops waiting when its own time is over.
 */
export function createTokenSource(options: TokenSourceOptions): TokenCredential {
  const { authentication, cloud, route, secrets, now } = options
  let trouble: AuthorityTrouble | undefined
  const create = () =>
    createCredential(options, (seen) => {
      trouble = seen
    })
  let credential = create()
  /** The authority asked for patience until then. */
  let asked: { until: number; refusal: VaultError } | undefined
  const pending = new Map<string, Promise<AccessToken | null>>()
  const request = (scopes: string[], claims: string | undefined): Promise<AccessToken | null> => {
    const key = JSON.stringify([scopes, claims])
    const running = pending.get(key)
    if (running) return running
    if (asked && asked.until > now()) return Promise.reject(asked.refusal)
    trouble = undefined
    const started = credential
      .getToken(scopes, { enableCae: true, ...(claims !== undefined && { claims }) })
      .catch((error: unknown) => {
        const failed = tokenError({ authentication, cloud, route, error, trouble, secrets })
        // After a 429 or 5xx, MSAL fails by itself for a minute without asking again. How long to wait is said by the authority, and
        // decided by the core: a new credential asks anew.
        credential = create()
        const { retryAfterMs } = failed
        asked = retryAfterMs === undefined ? undefined : { until: now() + retryAfterMs, refusal: failed }
        throw failed
      })
      .finally(() => pending.delete(key))
    pending.set(key, started)
    return started
  }
  return {
    getToken(scopes: string | string[], wanted: GetTokenOptions = {}): Promise<AccessToken | null> {
      const list = typeof scopes === 'string' ? [scopes] : scopes
      try {
        checkChallenge(authentication, cloud, list, wanted.tenantId)
      } catch (error) {
        return Promise.reject(error)
      }
      return untilAborted(request(list, wanted.claims), wanted.abortSignal)
    },
  }
}

/**
 * The vault's challenge may name neither another tenant, where both are GUIDs (a tenant written as a domain cannot be compared),
 * nor, where the operator pins one, another resource. Tokens are always asked for at the KMS's own tenant.
 */
function checkChallenge(
  authentication: Authentication,
  cloud: Cloud,
  scopes: string[],
  tenantId: string | undefined,
): void {
  if (cloud.tokenResource !== undefined && scopes.some((scope) => scope !== `${cloud.tokenResource}/.default`)) {
    throw new VaultError(
      'refused',
      `the vault asks for a token for another resource than ${cloud.tokenResource}, which the operator set`,
    )
  }
  if (tenantId === undefined || !isGuid(tenantId) || !isGuid(authentication.tenantId)) return
  if (tenantId.toLowerCase() === authentication.tenantId) return
  throw new VaultError(
    'refused',
    `the vault belongs to the tenant ${tenantId}, but tenant_id is ${authentication.tenantId}: tenant_id must be the vault's tenant`,
  )
}

function createCredential(options: TokenSourceOptions, note: (trouble: AuthorityTrouble) => void): TokenCredential {
  const { authentication, cloud } = options
  const { tenantId } = authentication
  const identity = loadIdentity()
  const common = {
    authorityHost: cloud.authorityHost,
    disableInstanceDiscovery: !cloud.instanceDiscovery,
    agent: options.agent,
    retryOptions: { maxRetries: 1, retryDelayInMs: 200 },
    redirectOptions: { maxRetries: 0 },
    additionalPolicies: [{ position: 'perRetry' as const, policy: observe(options, note) }],
  }
  switch (authentication.kind) {
    case 'secret':
      return new identity.ClientSecretCredential(tenantId, authentication.clientId, authentication.clientSecret, common)
    case 'certificate':
      return new identity.ClientCertificateCredential(
        tenantId,
        authentication.clientId,
        { certificate: authentication.certificate },
        common,
      )
    case 'federated': {
      // Read anew for each token: Kubernetes replaces the file.
      const assertion = async () => {
        try {
          return (await readFile(authentication.tokenFile, 'utf8')).trim()
        } catch (error) {
          note({ unreadableFile: String(record(error)?.code) })
          throw error
        }
      }
      return new identity.ClientAssertionCredential(tenantId, authentication.clientId, assertion, common)
    }
    case 'managed-identity':
      // It takes no policies (it puts its own in their place), but an agent. MSAL keeps the endpoint, the agent of the first such
      // credential and its tokens for the whole process: there is one machine, and all of this is the operator's.
      return new identity.ManagedIdentityCredential({
        ...authentication.identity,
        agent: options.metadataAgent,
        retryOptions: { maxRetries: 1, retryDelayInMs: 200 },
      })
  }
}

/** Limits each request to the authority, and notes how it failed: MSAL's errors keep neither status nor cause. */
function observe({ timeoutMs, now }: TokenSourceOptions, note: (trouble: AuthorityTrouble) => void): Policy {
  return {
    name: 'keyferryAuthority',
    async sendRequest(request, next) {
      request.timeout = timeoutMs
      try {
        const response = await next(request)
        if (response.status >= 300) {
          const retryAfterMs = readRetryAfter((name) => response.headers.get(name), now())
          note({ status: response.status, body: response.bodyAsText ?? '', retryAfterMs })
        }
        return response
      } catch (error) {
        note({ error })
        throw error
      }
    },
  }
}

function untilAborted<T>(promise: Promise<T>, signal: GetTokenOptions['abortSignal']): Promise<T> {
  if (!signal) return promise
  return new Promise((resolve, reject) => {
    const abort = () => reject(new DOMException('the time for the call is over', 'AbortError'))
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort)
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
