/** A value that a policy names: text may begin or end with `*`. */
export type ParameterValue = string | number | boolean | readonly ParameterValue[]

/** Values by parameter, in lower case; an empty list stands for any value. `*` is every parameter not named. */
export type ParameterLists = ReadonlyMap<string, readonly ParameterValue[]>

/** What policies say about the parameters of a request. */
export interface ParameterConstraints {
  allowed: ParameterLists | undefined
  denied: ParameterLists | undefined
  required: readonly string[] | undefined
}

/** What is wrong with a parameter in a policy: Vault documents `*` with an empty list only. */
export function parameterFault(name: string, values: number): string | undefined {
  return name === '*' && values > 0 ? 'the parameter "*" takes only the empty list, []' : undefined
}

/** What is wrong with a value in a policy: Vault takes a lone `*` as the character, which nobody means. */
export function valueFault(value: string | number | boolean): string | undefined {
  return value === '*'
    ? 'the value "*" is no glob: allowed are "text*", "*text" and "*text*"; [] is any value'
    : undefined
}

/**
 * Joins the lists of two policies for the same path, as Vault does: a parameter's values are put together, and an empty list, any value,
 * stays empty. No lists beside lists are the lists: a policy that restricts restricts the other one, too.
 */
export function mergeLists(a: ParameterLists | undefined, b: ParameterLists | undefined): ParameterLists | undefined {
  if (!a || !b || a === b) return a ?? b
  const merged = new Map(a)
  for (const [name, values] of b) {
    const present = merged.get(name)
    merged.set(name, present && (present.length === 0 || values.length === 0) ? [] : [...(present ?? []), ...values])
  }
  return merged
}

/**
 * Whether a request may have these parameters. Names are compared without case; required ones first, then denied, which beat allowed.
 *
 * Values are compared by their text, as fields are decoded weakly (`false` is "false"). Where fields take a list also as one text with
 * commas, Vault's own documentation warns that `"team-*"` lets "team-a,admin" pass; here every part has to match. For the same reason a
 * denied value is also found within a list or such a text. A list is allowed only where the policy names that very list.
 */
export function parametersPass(
  constraints: ParameterConstraints,
  parameters: Readonly<Record<string, unknown>>,
): boolean {
  const { allowed, denied, required } = constraints
  const given = Object.entries(parameters).map(([name, value]) => [name.toLowerCase(), value] as const)
  if (required && !required.every((name) => given.some(([each]) => each === name))) return false
  if (given.length === 0) return true
  if (denied?.has('*')) return false
  for (const [name, value] of given) {
    const refused = denied?.get(name)
    if (refused && (refused.length === 0 || holdsDenied(refused, value))) return false
    if (allowed && allowed.size > 0) {
      const values = allowed.get(name)
      if (values ? values.length > 0 && !values.some((each) => permits(each, value)) : !allowed.has('*')) return false
    }
  }
  return true
}

function permits(wanted: ParameterValue, value: unknown): boolean {
  if (isGlob(wanted) && typeof value === 'string' && value.includes(',') && !wanted.includes(',')) {
    return value.split(',').every((part) => same(wanted, part.trim()))
  }
  return same(wanted, value)
}

function holdsDenied(refused: readonly ParameterValue[], value: unknown): boolean {
  if (refused.some((each) => same(each, value))) return true
  if (Array.isArray(value)) return value.some((item) => holdsDenied(refused, item))
  if (typeof value !== 'string' || !value.includes(',')) return false
  return value.split(',').some((part) => refused.some((each) => same(each, part.trim())))
}

function same(wanted: ParameterValue, value: unknown): boolean {
  if (typeof wanted === 'object') {
    return (
      Array.isArray(value) &&
      value.length === wanted.length &&
      wanted.every((each, index) => sameText(each, value[index]))
    )
  }
  return sameText(wanted, value)
}

function sameText(wanted: ParameterValue, value: unknown): boolean {
  if (typeof wanted === 'object') return same(wanted, value)
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return false
  const text = String(value)
  if (!isGlob(wanted)) return String(wanted) === text
  const start = wanted.startsWith('*')
  const end = wanted.endsWith('*')
  if (start && end) return text.includes(wanted.slice(1, -1))
  return start ? text.endsWith(wanted.slice(1)) : text.startsWith(wanted.slice(0, -1))
}

/** Vault's: one `*` alone is the character. */
function isGlob(value: ParameterValue): value is string {
  return typeof value === 'string' && value.length > 1 && (value.startsWith('*') || value.endsWith('*'))
}
