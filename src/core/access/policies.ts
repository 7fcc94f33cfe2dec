import { KeyferryError } from '../errors.ts'
import type { NamespaceRow, PolicyStore } from '../store.ts'
import type { Caller } from './authenticator.ts'
import { type Acl, compileAcl } from './policy/acl.ts'
import type { Right } from './policy/capabilities.ts'
import { defaultPolicyText } from './policy/defaults.ts'
import {
  defaultPolicyName,
  deletablePolicyName,
  normalisePolicyName,
  rootPolicyName,
  writablePolicyName,
} from './policy/names.ts'
import { parsePolicy } from './policy/parse.ts'

/** How many sets of policies are kept compiled. */
const kept = 1_000

/** Policies of namespaces, and what a caller may do by them. */
export class PolicyService {
  readonly #store: PolicyStore
  readonly #bySet = new Map<string, Acl>()
  /** The same again by caller, so that a request of one who is known costs no look-up by name. */
  #byCaller = new WeakMap<Caller, Acl>()
  #epoch = 0

  constructor(store: PolicyStore) {
    this.#store = store
  }

  /** Drops what is compiled: a policy was changed, here or elsewhere. */
  forget(): void {
    this.#bySet.clear()
    this.#byCaller = new WeakMap()
    this.#epoch += 1
  }

  /** Names in order; `default` and `root` are always there. */
  async names(namespace: NamespaceRow): Promise<string[]> {
    return [...new Set([...(await this.#store.names(namespace.id)), defaultPolicyName, rootPolicyName])].sort()
  }

  /** The text of a policy; '' for root. Throws `not_found`. */
  async read(namespace: NamespaceRow, name: string): Promise<string> {
    const normal = normalisePolicyName(name)
    if (normal === rootPolicyName) return ''
    const text = await this.#text(namespace.id, normal)
    if (text === undefined) throw new KeyferryError('not_found', `policy "${normal}" not found`)
    return text
  }

  /** Throws `invalid` with line and column when the text is no policy, or the name is not one that may be written. */
  async put(namespace: NamespaceRow, name: string, rules: string): Promise<void> {
    const normal = writablePolicyName(name)
    parsePolicy(rules)
    try {
      await this.#store.put(namespace.id, normal, rules)
    } finally {
      this.forget()
    }
  }

  /** Deleting what is not there is no error. Throws `invalid` for those that have to stay. */
  async remove(namespace: NamespaceRow, name: string): Promise<void> {
    const normal = deletablePolicyName(name)
    try {
      await this.#store.remove(namespace.id, normal)
    } finally {
      this.forget()
    }
  }

  /** What a caller's policies say together. Names without a policy say nothing. */
  async aclOf(caller: Caller): Promise<Acl> {
    const known = this.#byCaller.get(caller)
    if (known) return known
    const epoch = this.#epoch
    const acl = await this.aclOfSet(caller.token.namespaceId, caller.token.policies)
    // What was changed while this read must not be remembered as it was.
    if (epoch === this.#epoch) this.#byCaller.set(caller, acl)
    return acl
  }

  async aclOfSet(namespaceId: string, policies: readonly string[]): Promise<Acl> {
    const key = JSON.stringify([namespaceId, ...policies])
    const known = this.#bySet.get(key)
    if (known) return known
    const epoch = this.#epoch
    const parsed = []
    for (const name of policies) {
      const text = name === rootPolicyName ? undefined : await this.#text(namespaceId, name)
      if (text !== undefined) parsed.push({ rules: parsePolicy(text) })
    }
    const acl = compileAcl(parsed, policies.includes(rootPolicyName))
    if (epoch !== this.#epoch) return acl
    const oldest = this.#bySet.size >= kept ? this.#bySet.keys().next().value : undefined
    if (oldest !== undefined) this.#bySet.delete(oldest)
    this.#bySet.set(key, acl)
    return acl
  }

  async #text(namespaceId: string, name: string): Promise<string | undefined> {
    return (await this.#store.get(namespaceId, name)) ?? (name === defaultPolicyName ? defaultPolicyText : undefined)
  }
}

/**
 * A request's full path (namespace and all) as the caller's policies see it: relative to the caller's own namespace. Undefined when it
 * is not in that namespace or below: nobody may do anything there.
 */
export function pathFor(caller: Caller, fullPath: string): string | undefined {
  const own = caller.namespacePath
  if (own === '') return fullPath
  return fullPath.startsWith(`${own}/`) ? fullPath.slice(own.length + 1) : undefined
}

/** Throws `denied`, in the same words for all reasons, unless the caller's policies grant the right on the path. */
export async function authorize(
  policies: PolicyService,
  caller: Caller,
  wanted: { path: string; right: Right; parameters?: Readonly<Record<string, unknown>>; wrapTtl?: number },
): Promise<void> {
  const path = pathFor(caller, wanted.path)
  const acl = path === undefined ? undefined : await policies.aclOf(caller)
  if (path === undefined || !acl?.allows(wanted.right, path, wanted.parameters, wanted.wrapTtl)) {
    throw new KeyferryError('denied', 'permission denied')
  }
}
