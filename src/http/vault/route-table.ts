import type { Params } from './route.ts'

/** A pattern of a path: literal parts, `:name` for one part, `:name+` for one or more. */
interface Part {
  literal?: string
  name: string
  many: boolean
}

interface Entry<R> {
  route: R
  template: string
  parts: readonly Part[]
}

export interface Match<R> {
  route: R
  /** The route's path with what its table is mounted under in front. */
  template: string
  params: Params
}

/**
 * Routes found by the decoded parts of a path, so that nothing is decoded twice. Literal parts win over parameters, and a pattern that
 * ends in a literal over one that ends in `:name+`.
 */
export class RouteTable<R extends { path: string }> {
  readonly routes: readonly R[]
  readonly #byFirst = new Map<string, Entry<R>[]>()

  /** `under`: what stands before the routes' paths, by kind and not by name: `keymgmt/`. */
  constructor(routes: readonly R[], under = '') {
    this.routes = routes
    for (const route of routes) {
      const parts = route.path.split('/').map(parsePart)
      const first = parts[0]?.literal ?? ''
      const entries = this.#byFirst.get(first) ?? []
      entries.push({ route, template: under + route.path, parts })
      this.#byFirst.set(
        first,
        entries.sort((a, b) => specificity(b) - specificity(a)),
      )
    }
  }

  /** The route for the parts of a path from `from` on. */
  match(segments: readonly string[], from: number): Match<R> | undefined {
    for (const { route, template, parts } of this.#byFirst.get(segments[from] ?? '') ?? []) {
      const params = matchParts(parts, segments, from)
      if (params) return { route, template, params }
    }
    return undefined
  }
}

function parsePart(text: string): Part {
  if (!text.startsWith(':')) return { literal: text, name: '', many: false }
  return text.endsWith('+') ? { name: text.slice(1, -1), many: true } : { name: text.slice(1), many: false }
}

function specificity({ parts }: Entry<unknown>): number {
  return parts.filter((part) => part.literal !== undefined).length
}

/** There is at most one `:name+`, which takes what the others leave. */
function matchParts(parts: readonly Part[], segments: readonly string[], from: number): Params | undefined {
  const extra = segments.length - from - parts.length
  if (extra < 0) return undefined
  const params: Record<string, string> = {}
  let at = from
  for (const part of parts) {
    const segment = segments[at] ?? ''
    if (part.literal !== undefined) {
      if (part.literal !== segment) return undefined
      at += 1
    } else {
      const end = at + 1 + (part.many ? extra : 0)
      const value = part.many ? segments.slice(at, end).join('/') : segment
      if (value === '') return undefined
      params[part.name] = value
      at = end
    }
  }
  return at === segments.length ? params : undefined
}
