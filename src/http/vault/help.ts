import { flag } from './query.ts'
import type { RouteText } from './route.ts'

type Described = RouteText & { path: string }

/** Whether `?help=1` is asked for. Throws `invalid` for what is no boolean. */
export function wantsHelp(query: URLSearchParams): boolean {
  return query.has('help') && flag(query, 'help')
}

/** The answer to `?help=1`, as `vault path-help` prints it: of a path, or of all that is below a mount where it is asked of the mount. */
export function helpOf(path: string, route: Described | undefined, all: readonly Described[]): Record<string, unknown> {
  return { help: route ? ofRoute(path, route) : ofMount(path, all), see_also: null }
}

function ofRoute(path: string, { path: pattern, synopsis, description }: Described): string {
  return `Request:        ${path}\nMatching Route: ${pattern}\n\n${synopsis}\n\n## DESCRIPTION\n\n${description.trim()}\n`
}

function ofMount(path: string, all: readonly Described[]): string {
  const paths = all.map(({ path: pattern, synopsis }) => `    ${pattern}\n        ${synopsis}\n`)
  return `Request:        ${path}\n\n## PATHS\n\nWhat is here, each path with help of its own:\n\n${paths.join('\n')}`
}
