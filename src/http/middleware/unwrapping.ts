import type { Core } from '../../core/core.ts'
import type { NamespaceRow } from '../../core/store.ts'
import type { Target } from '../vault/target.ts'
import { tokenOf } from './authenticate.ts'
import { resolve } from './resolve.ts'

/** A wrapping token that was sent as the request's own, and what is wanted of it. */
export interface FoundUnwrapping {
  operation: 'lookup' | 'unwrap'
  presentedToken: string
  namespace: NamespaceRow
  /** In its namespace. */
  path: string
}

/**
 * The one use of a wrapping token as the request's own: to be looked up and unwrapped, in the namespace where it was made. Undefined for
 * everything else, which then needs a token like anything.
 */
export async function findUnwrapping(
  core: Core,
  headers: Headers,
  target: Target,
): Promise<FoundUnwrapping | undefined> {
  const operation = target.segments.at(-1)
  const presentedToken = tokenOf(headers)
  if ((operation !== 'lookup' && operation !== 'unwrap') || target.segments.at(-2) !== 'wrapping') return undefined
  const madeIn = presentedToken && (await core.wrapping.namespaceOf(presentedToken))
  if (!madeIn) return undefined
  const resolved = await resolve(core, headers.get('x-vault-namespace'), target)
  if (resolved?.kind !== 'sys' || resolved.path !== `sys/wrapping/${operation}`) return undefined
  if (resolved.namespace.id !== madeIn) return undefined
  return { operation, presentedToken, namespace: resolved.namespace, path: resolved.path }
}
