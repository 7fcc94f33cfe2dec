import { longestDuration, parseDuration } from '../../durations.ts'
import { invalid, oneOf } from '../../errors.ts'
import { printable } from '../../keys/types.ts'
import { bits, type Capability, capabilityNames, isCapability, maskOf, namesOf, shorthand } from './capabilities.ts'
import { parseHcl } from './hcl.ts'
import { parseJson } from './json.ts'
import { type ParameterLists, type ParameterValue, parameterFault, valueFault } from './parameters.ts'
import { patternFault } from './pattern.ts'
import { type Entry, type ObjectValue, Source, type Value } from './source.ts'

/** One `path` block of a policy. */
export interface PathRule {
  /** Relative to the policy's namespace, without a slash at the beginning. */
  pattern: string
  /** Each once, alphabetically; `deny` stands alone. */
  capabilities: readonly Capability[]
  /** Names are in lower case; an empty list stands for any value. */
  allowedParameters?: ParameterLists
  deniedParameters?: ParameterLists
  /** In lower case. */
  requiredParameters?: readonly string[]
  /** Seconds, above 0, with their fraction: rounded, a bound of less than half a second would be none. */
  minWrappingTtl?: number
  maxWrappingTtl?: number
}

/** Characters of a policy's text, and `path` blocks in one. */
export const mostCharacters = 131_072
export const mostPaths = 1_000

const topKeys = ['path', 'name']
const ruleKeys = [
  'capabilities',
  'policy',
  'allowed_parameters',
  'denied_parameters',
  'required_parameters',
  'min_wrapping_ttl',
  'max_wrapping_ttl',
  'comment',
]

/**
 * Reads a policy as Vault's clients send it: HCL, or JSON when it begins with `{`. A path may come more than once; its blocks are joined
 * like those of several policies, as in Vault. Anything not understood is refused, since to pass over a restriction would be to grant.
 * Throws `invalid` with line and column.
 */
export function parsePolicy(text: string): PathRule[] {
  const source = new Source(text)
  if (text.length > mostCharacters) {
    throw invalid(`line 1, column 1: the policy is too long: allowed are ${mostCharacters} characters`)
  }
  const root = /^\uFEFF?\s*\{/.test(text) ? parseJson(source) : parseHcl(source)
  return new PolicyReader(source).read(root)
}

class PolicyReader {
  readonly #source: Source
  readonly #rules: PathRule[] = []

  constructor(source: Source) {
    this.#source = source
  }

  read(root: ObjectValue): PathRule[] {
    for (const entry of root.entries) {
      if (entry.key === 'name') this.#text(entry)
      else if (entry.key !== 'path') throw this.#unknown(entry, 'in a policy', topKeys)
      else for (const path of this.#objects(entry.value, 'path').flatMap((object) => object.entries)) this.#path(path)
    }
    return this.#rules
  }

  #path({ key, at, value }: Entry): void {
    const pattern = key.startsWith('/') ? key.slice(1) : key
    const fault = patternFault(pattern)
    if (fault) throw this.#source.fault(at, `the path "${printable(key)}" ${fault}`)
    for (const block of this.#objects(value, `path "${printable(key)}"`)) {
      if (this.#rules.length >= mostPaths) throw this.#source.fault(at, `too many paths: allowed are ${mostPaths}`)
      this.#rules.push(this.#rule(pattern, block))
    }
  }

  #rule(pattern: string, block: ObjectValue): PathRule {
    const fields = new Map<string, Entry>()
    for (const entry of block.entries) {
      if (!ruleKeys.includes(entry.key)) throw this.#unknown(entry, `for path "${printable(pattern)}"`, ruleKeys)
      if (fields.has(entry.key)) throw this.#source.fault(entry.at, `"${entry.key}" is set twice for the same path`)
      fields.set(entry.key, entry)
    }
    const comment = fields.get('comment')
    if (comment) this.#text(comment)
    const allowed = this.#parameters(fields.get('allowed_parameters'))
    const denied = this.#parameters(fields.get('denied_parameters'))
    const required = this.#names(fields.get('required_parameters')).map(({ text }) => text.toLowerCase())
    const min = this.#ttl(fields.get('min_wrapping_ttl'))
    const max = this.#ttl(fields.get('max_wrapping_ttl'))
    if (min !== 0 && max !== 0 && max < min) {
      throw this.#source.fault(block.at, 'max_wrapping_ttl must not be less than min_wrapping_ttl')
    }
    const mask = maskOf([...this.#shorthand(fields.get('policy')), ...this.#capabilities(fields.get('capabilities'))])
    // What is denied altogether needs no conditions.
    if (mask === bits.deny) return { pattern, capabilities: ['deny'] }
    return {
      pattern,
      capabilities: namesOf(mask),
      ...(allowed && { allowedParameters: allowed }),
      ...(denied && { deniedParameters: denied }),
      ...(required.length > 0 && { requiredParameters: [...new Set(required)] }),
      ...(min > 0 && { minWrappingTtl: min }),
      ...(max > 0 && { maxWrappingTtl: max }),
    }
  }

  #capabilities(entry: Entry | undefined): Capability[] {
    return this.#names(entry).map(({ text, at }) => {
      if (isCapability(text)) return text
      throw this.#source.fault(at, `unknown capability "${printable(text)}": allowed are ${oneOf(capabilityNames)}`)
    })
  }

  #shorthand(entry: Entry | undefined): readonly Capability[] {
    if (!entry) return []
    const name = this.#text(entry)
    const capabilities = shorthand.get(name)
    if (capabilities) return capabilities
    const allowed = oneOf([...shorthand.keys()])
    throw this.#source.fault(entry.value.at, `unknown policy "${printable(name)}": allowed are ${allowed}`)
  }

  #parameters(entry: Entry | undefined): ParameterLists | undefined {
    if (!entry) return undefined
    const lists = new Map<string, readonly ParameterValue[]>()
    for (const { key, at, value } of this.#objects(entry.value, entry.key).flatMap((object) => object.entries)) {
      const name = key.toLowerCase()
      if (lists.has(name))
        throw this.#source.fault(at, `"${printable(key)}" is in ${entry.key} twice (case is ignored)`)
      if (value.kind !== 'list') {
        throw this.#source.fault(value.at, `${entry.key} "${printable(key)}" must be a list of values; [] is any value`)
      }
      const fault = parameterFault(name, value.items.length)
      if (fault) throw this.#source.fault(value.at, fault)
      lists.set(
        name,
        value.items.map((item) => this.#parameterValue(item)),
      )
    }
    return lists
  }

  #parameterValue(item: Value): ParameterValue {
    if (item.kind === 'list') return item.items.map((inner) => this.#parameterValue(inner))
    if (item.kind === 'object') {
      throw this.#source.fault(item.at, 'a value of a parameter must be text, a number, true, false or a list')
    }
    const fault = valueFault(item.value)
    if (fault) throw this.#source.fault(item.at, fault)
    return item.value
  }

  /** A list of texts; none where the field is not set. */
  #names(entry: Entry | undefined): { text: string; at: number }[] {
    if (!entry) return []
    const { key, value } = entry
    if (value.kind !== 'list') throw this.#source.fault(value.at, `${key} must be a list such as ["read", "list"]`)
    return value.items.map((item) => {
      if (item.kind !== 'string') throw this.#source.fault(item.at, `${key} must be a list of texts in double quotes`)
      return { text: item.value, at: item.at }
    })
  }

  #text({ key, value }: Entry): string {
    if (value.kind !== 'string') throw this.#source.fault(value.at, `"${printable(key)}" must be text in double quotes`)
    return value.value
  }

  /** Seconds; 0 where the field is not set. */
  #ttl(entry: Entry | undefined): number {
    if (!entry) return 0
    const { key, value } = entry
    const seconds = value.kind === 'string' || value.kind === 'number' ? parseDuration(value.value) : undefined
    if (seconds === undefined) {
      throw this.#source.fault(
        value.at,
        `error converting input for field "${key}": not a duration: allowed are seconds (3600) or "1h30m", "24h", "7d"`,
      )
    }
    if (seconds > longestDuration) {
      throw this.#source.fault(
        value.at,
        `${key} is too long: allowed are up to ${longestDuration} seconds, a hundred years`,
      )
    }
    return seconds
  }

  /** An object, or JSON's other form of one: a list of objects, which are taken together. */
  #objects(value: Value, what: string): ObjectValue[] {
    const items = value.kind === 'list' ? value.items : [value]
    return items.map((item) => {
      if (item.kind !== 'object') throw this.#source.fault(item.at, `${what} must be a block in braces`)
      return item
    })
  }

  #unknown({ key, at }: Entry, where: string, allowed: readonly string[]) {
    return this.#source.fault(at, `unknown key "${printable(key)}" ${where}: allowed are ${oneOf(allowed)}`)
  }
}
