/**
 * What a set of rules says about a path, written down as plainly as can be and apart from the code under test: every pattern becomes a
 * regular expression, all that match are sorted by the rules of precedence, the first decides.
 */
export interface ReferenceRule {
  pattern: string
  capabilities: readonly string[]
}

interface Candidate {
  /** Whether this is a deny that was found without regard to case. */
  denial: boolean
  text: string
  pattern: string
}

function expression(pattern: string, flags: string): RegExp {
  const body = pattern
    .replace(/\*$/, '')
    .split('/')
    .map((part) => (part === '+' ? '[^/]*' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')))
    .join('/')
  return new RegExp(`^${body}${pattern.endsWith('*') ? '[^]*' : ''}$`, flags)
}

const isExact = (pattern: string) => !pattern.endsWith('*') && !pattern.split('/').includes('+')
const plusCount = (pattern: string) => pattern.split('/').filter((part) => part === '+').length

/** The position of the first wildcard, counted by hand, character by character. */
function wildcardAt(pattern: string): number {
  for (let at = 0; at < pattern.length; at++) {
    const startsPart = at === 0 || pattern[at - 1] === '/'
    const endsPart = at === pattern.length - 1 || pattern[at + 1] === '/'
    if (pattern[at] === '+' && startsPart && endsPart) return at
    if (pattern[at] === '*' && at === pattern.length - 1) return at
  }
  throw new Error(`no wildcard in ${pattern}`)
}

/** Below 0: `a` comes first. */
function order(a: string, b: string): number {
  if (isExact(a) !== isExact(b)) return isExact(a) ? -1 : 1
  if (!isExact(a) && wildcardAt(a) !== wildcardAt(b)) return wildcardAt(b) - wildcardAt(a)
  if (a.endsWith('*') !== b.endsWith('*')) return a.endsWith('*') ? 1 : -1
  if (plusCount(a) !== plusCount(b)) return plusCount(a) - plusCount(b)
  if (a.length !== b.length) return b.length - a.length
  return a === b ? 0 : a > b ? -1 : 1
}

/** The pattern that decides and what it grants: `['deny']`, other capabilities, or undefined where nothing matches. */
export function decide(rules: readonly ReferenceRule[], path: string) {
  const candidates: Candidate[] = []
  for (const { pattern, capabilities } of rules) {
    const lower = pattern.toLowerCase()
    if (expression(pattern, '').test(path)) candidates.push({ denial: false, text: lower, pattern })
    if (capabilities.includes('deny') && expression(pattern, 'i').test(path)) {
      candidates.push({ denial: true, text: lower, pattern })
    }
  }
  candidates.sort((a, b) => order(a.text, b.text))
  const best = candidates[0]
  if (!best) return undefined
  const tied = candidates.filter((each) => each.text === best.text)
  const exact = isExact(best.pattern)
  if (tied.some((each) => each.denial)) return { exact, capabilities: ['deny'] }
  const joined = rules.filter((rule) => rule.pattern === best.pattern).flatMap((rule) => rule.capabilities)
  return { exact, capabilities: [...new Set(joined)] }
}

/** Whether the rules grant a capability on a path that has no slash at its end. */
export function allows(rules: readonly ReferenceRule[], capability: string, path: string): boolean {
  if (capability !== 'list') return decide(rules, path)?.capabilities.includes(capability) ?? false
  const without = decide(rules, path)
  const within = decide(rules, `${path}/`)
  if (without?.capabilities.includes('deny') || within?.capabilities.includes('deny')) return false
  const deciding = within?.exact ? within : (without ?? within)
  return deciding?.capabilities.includes('list') ?? false
}
