import type { RouteText } from './route.ts'

/** The answer to `?help=1`, as `vault path-help` prints it. */
export function helpOf(path: string, route: RouteText & { path: string }): Record<string, unknown> {
  const { path: pattern, synopsis, description } = route
  const help = `Request:        ${path}\nMatching Route: ${pattern}\n\n${synopsis}\n\n## DESCRIPTION\n\n${description.trim()}\n`
  return { help, see_also: null }
}
