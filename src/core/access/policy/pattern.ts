/**
 * A pattern of paths, taken apart: `+` stands for one whole part between slashes (also an empty one, as in Vault), a `*` at the end for
 * anything, slashes included.
 */
export interface Pattern {
  /** Without the `*` at the end. */
  text: string
  glob: boolean
  /** Where the first `+` or the `*` is; infinite when the pattern is one exact path. */
  first: number
  /** How many parts are `+`. */
  pluses: number
}

/** `text`: one that `patternFault` finds nothing wrong with. */
export function parsePattern(text: string): Pattern {
  const glob = text.endsWith('*')
  const body = glob ? text.slice(0, -1) : text
  let pluses = 0
  let first = Number.POSITIVE_INFINITY
  let start = 0
  for (const part of body.split('/')) {
    if (part === '+') {
      pluses += 1
      first = Math.min(first, start)
    }
    start += part.length + 1
  }
  return { text: body, glob, first: glob ? Math.min(first, body.length) : first, pluses }
}

/** Vault's longest are far shorter. */
const longest = 1_024
const control = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/

/**
 * What is wrong with a pattern, as a clause that says what is allowed; undefined when it is good. Vault takes a `*` or `+` elsewhere as
 * the character itself: a rule that looks like it covers what it does not. Templates (`{{identity.…}}`) would never match either.
 */
export function patternFault(text: string): string | undefined {
  if (text === '') return 'is empty: allowed is a path such as "keymgmt/key/orders" or "keymgmt/*"'
  if (text.length > longest) return `is too long: allowed are ${longest} characters`
  if (control.test(text)) return 'has control characters, which no path has'
  if (text.includes('{{')) return 'has a template ("{{"): templates are not supported, write the path out'
  const star = text.indexOf('*')
  if (star !== -1 && star !== text.length - 1) return 'has a "*" inside: "*" is allowed only as the last character'
  for (const part of text.split('/')) {
    if (part === '.' || part === '..') return `has the part "${part}", which no path has`
    if (part.includes('+') && part !== '+')
      return 'has a "+" inside a part: "+" is allowed only as a whole part, as in "a/+/b"'
  }
  return undefined
}

/**
 * Vault's order of precedence between two patterns that match the same path: later first wildcard (an exact path has none, so it comes
 * first), no `*` at the end, fewer `+`, longer, lexically greater. Above 0: `a` decides; below: `b`; 0: the same pattern.
 */
export function comparePrecedence(a: Pattern, b: Pattern): number {
  if (a.first !== b.first) return a.first > b.first ? 1 : -1
  if (a.glob !== b.glob) return a.glob ? -1 : 1
  if (a.pluses !== b.pluses) return a.pluses < b.pluses ? 1 : -1
  if (a.text.length !== b.text.length) return a.text.length > b.text.length ? 1 : -1
  if (a.text === b.text) return 0
  return a.text > b.text ? 1 : -1
}
