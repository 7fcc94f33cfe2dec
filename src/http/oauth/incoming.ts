import type { Core } from '../../core/core.ts'
import type { NamespaceRow } from '../../core/store.ts'
import { readBody } from '../middleware/limits.ts'
import { rootOf } from '../middleware/resolve.ts'
import type { AppOptions } from '../options.ts'
import { OAuthError } from './errors.ts'

/** A request under `/oauth`, read. */
export interface OAuthRequest {
  core: Core
  headers: Headers
  /** `X-Vault-Namespace`, or the root; undefined where there is none of that path: nobody is known there. */
  namespace: NamespaceRow | undefined
  form: Form
  remoteAddress: string | undefined
}

/** The parameters of a form, each of which comes once (RFC 6749 3.2); empty ones are as good as none. */
export type Form = ReadonlyMap<string, string>

export async function readOAuthRequest(
  core: Core,
  options: AppOptions,
  request: Request,
  remoteAddress: string | undefined,
): Promise<OAuthRequest> {
  const type = request.headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase()
  if (type !== 'application/x-www-form-urlencoded') {
    throw new OAuthError('invalid_request', 'the body must be a form: application/x-www-form-urlencoded')
  }
  const form = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(await readBody(request, options))) {
    if (form.has(name)) throw new OAuthError('invalid_request', 'a parameter must not come more than once')
    form.set(name, value)
  }
  for (const [name, value] of form) if (value === '') form.delete(name)
  core.freshen()
  const path = (request.headers.get('x-vault-namespace') ?? '').replace(/^\/+|\/+$/g, '')
  const namespace = await core.namespace(path === 'root' ? '' : path)
  const at = new URL(request.url).pathname.slice(1)
  // Where there is no such namespace, the operator's own limits hold all the same: they must not tell that.
  if (namespace) await core.quotas.take(() => core.namespaces.lineage(namespace), at, remoteAddress ?? '')
  else await core.quotas.take(() => rootOf(core), `${path}/${at}`, remoteAddress ?? '')
  return { core, headers: request.headers, namespace, form, remoteAddress }
}

/** A parameter that has to be there. */
export function needed(form: Form, name: string): string {
  const value = form.get(name)
  if (value === undefined) throw new OAuthError('invalid_request', `missing ${name}`)
  return value
}
