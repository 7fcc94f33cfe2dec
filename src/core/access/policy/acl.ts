import { bits, type Capability, maskOf, namesOf, type Right } from './capabilities.ts'
import { mergeLists, type ParameterConstraints, parametersPass } from './parameters.ts'
import type { PathRule } from './parse.ts'
import { comparePrecedence } from './pattern.ts'
import { type Indexed, PatternIndex } from './pattern-index.ts'

/** What all policies of a token say together about one pattern. */
interface Rule extends ParameterConstraints {
  mask: number
  /** Seconds; 0 for none. */
  minWrappingTtl: number
  maxWrappingTtl: number
}

/**
 * What a token may do, in its own namespace. Paths are relative to it and have no slash at the end. One pattern decides about a path, by
 * Vault's precedence (pattern.ts); what the policies say about that same pattern is joined, and a `deny` among it wins.
 */
export class Acl {
  readonly #root: boolean
  readonly #rules = new PatternIndex<Rule>()
  /** The patterns denied, in lower case. */
  readonly #denials = new PatternIndex<true>()
  #denies = false

  /** `root` stands for the root policy, which allows everything. */
  constructor(policies: Iterable<{ readonly rules: readonly PathRule[] }>, root: boolean) {
    this.#root = root
    for (const { rules } of policies) {
      for (const rule of rules) {
        this.#rules.put(rule.pattern, (present) => join(present, rule))
        if (rule.capabilities[0] !== 'deny') continue
        this.#denies = true
        this.#denials.put(rule.pattern.toLowerCase(), () => true)
      }
    }
  }

  /**
   * Whether the policies grant `right` on `path`. Reads, writes and patches must pass the policies' conditions on `parameters` (the body
   * as the client sent it, none: `{}`); where the policies demand wrapping, `wrapTtl` (seconds, asked for by the client) must be within
   * their bounds. A list is matched with and without a slash at the end, and a `deny` in either wins.
   */
  allows(right: Right, path: string, parameters?: Readonly<Record<string, unknown>>, wrapTtl?: number): boolean {
    if (this.#root) return true
    const rule = this.#ruleFor(right, path)
    if (!rule || (rule.mask & bits[right]) === 0) return false
    if (right === 'sudo') return true
    if (!wrappingPasses(rule, wrapTtl)) return false
    if (right === 'list' || right === 'delete') return true
    if (!rule.allowed && !rule.denied && !rule.required) return true
    return parametersPass(rule, parameters ?? {})
  }

  /** Whether the rule that decides about `right` on `path` has `sudo`, which root-protected paths need besides. */
  sudo(right: Right, path: string): boolean {
    return this.#root || ((this.#ruleFor(right, path)?.mask ?? 0) & bits.sudo) !== 0
  }

  /** For `sys/capabilities`: what is granted on a path, alphabetically; `deny` alone where nothing is, `root` alone for root. */
  capabilities(path: string): (Capability | 'root')[] {
    if (this.#root) return ['root']
    const bare = path.endsWith('/') ? path.slice(0, -1) : path
    const granted = (this.#ruleFor('read', bare)?.mask ?? 0) & ~bits.list
    const listed = (this.#ruleFor('list', bare)?.mask ?? 0) & bits.list
    const mask = granted | listed
    return mask === 0 || (mask & bits.deny) !== 0 ? ['deny'] : namesOf(mask)
  }

  #ruleFor(right: Right, path: string): Rule | undefined {
    const clean = path.startsWith('/') ? path.slice(1) : path
    if (!isPlain(clean)) return undefined
    if (right !== 'list') return this.#decide(clean)?.value
    // Vault's order: exact with the slash, exact without, then patterns without it and with it.
    const bare = clean.endsWith('/') ? clean.slice(0, -1) : clean
    const without = this.#decide(bare)
    const within = this.#decide(`${bare}/`)
    if (!without || !within) return (without ?? within)?.value
    if (without.value.mask === bits.deny) return without.value
    if (within.value.mask === bits.deny || within.pattern.first === Number.POSITIVE_INFINITY) return within.value
    return without.value
  }

  /**
   * The rule that decides. A deny also holds for the path in other cases (as since Vault 2.2.2), as long as no rule for the path as it is
   * written takes precedence: where a name is found without case, another spelling must not be a way around. Capitals sort before small
   * letters, so that of two patterns the same but for case the deny wins.
   */
  #decide(path: string): Indexed<Rule> | undefined {
    const found = this.#rules.find(path)
    if (!this.#denies) return found
    const lower = path.toLowerCase()
    const isExact = found?.pattern.first === Number.POSITIVE_INFINITY
    const denial = isExact ? this.#denials.findExact(lower) : this.#denials.find(lower)
    if (!denial || (found && comparePrecedence(found.pattern, denial.pattern) > 0)) return found
    return { pattern: denial.pattern, value: denied }
  }
}

const denied: Rule = {
  mask: bits.deny,
  allowed: undefined,
  denied: undefined,
  required: undefined,
  minWrappingTtl: 0,
  maxWrappingTtl: 0,
}

/** Makes an Acl of the policies that a token has. Cheap, but not for every request: the caller keeps it while they stay the same. */
export function compileAcl(policies: Iterable<{ readonly rules: readonly PathRule[] }>, root = false): Acl {
  return new Acl(policies, root)
}

function join(present: Rule | undefined, rule: PathRule): Rule {
  const mask = maskOf(rule.capabilities)
  if (mask === bits.deny || present?.mask === bits.deny) return denied
  const required = [...(present?.required ?? []), ...(rule.requiredParameters ?? [])]
  return {
    mask: mask | (present?.mask ?? 0),
    allowed: mergeLists(present?.allowed, rule.allowedParameters),
    denied: mergeLists(present?.denied, rule.deniedParameters),
    required: required.length > 0 ? [...new Set(required)] : undefined,
    minWrappingTtl: lesser(present?.minWrappingTtl ?? 0, rule.minWrappingTtl ?? 0),
    maxWrappingTtl: lesser(present?.maxWrappingTtl ?? 0, rule.maxWrappingTtl ?? 0),
  }
}

/** The lesser of two bounds of which 0 is none: Vault's choice for both, so that what is wrapped lives as short as possible. */
function lesser(a: number, b: number): number {
  return a === 0 || b === 0 ? Math.max(a, b) : Math.min(a, b)
}

function wrappingPasses({ minWrappingTtl, maxWrappingTtl }: Rule, wrapTtl: number | undefined): boolean {
  if (minWrappingTtl === 0 && maxWrappingTtl === 0) return true
  if (wrapTtl === undefined || wrapTtl < minWrappingTtl) return false
  return maxWrappingTtl === 0 || wrapTtl <= maxWrappingTtl
}

const dots = /(?:^|\/)\.\.?(?:\/|$)/

/** Paths that could be taken for another one are matched by nothing. */
function isPlain(path: string): boolean {
  return !path.includes('//') && !(path.includes('.') && dots.test(path)) && !path.startsWith('/')
}
