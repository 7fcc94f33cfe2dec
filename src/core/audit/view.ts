/** What of an audit log is a namespace's own. */
export interface View {
  /** A path without slashes at its ends; '' is the root. */
  namespace: string
  /** Of namespaces below it as well. */
  below: boolean
  /** Only of namespaces with these ids, where any is given: a path may have been that of one that is deleted, and then of another. */
  ids: readonly string[]
}

/** The namespace of a request, or of a call to a cloud on its behalf, as a line has it. */
export interface Place {
  id: string
  path: string
  /** Of the line; '' where it has none. */
  time: string
}

/** Where a line of an audit log belongs; undefined for what is no line of one. */
export function placeOf(line: string): Place | undefined {
  let entry: { time?: unknown; request?: { namespace?: { id?: unknown; path?: unknown } } } | null
  try {
    entry = JSON.parse(line)
  } catch {
    return undefined
  }
  const namespace = entry?.request?.namespace
  if (typeof namespace?.id !== 'string') return undefined
  return {
    id: namespace.id,
    path: typeof namespace.path === 'string' ? namespace.path.replace(/\/$/, '') : '',
    time: typeof entry?.time === 'string' ? entry.time : '',
  }
}

export function isInView({ id, path }: Place, { namespace, below, ids }: View): boolean {
  if (ids.length > 0 && !ids.includes(id)) return false
  return path === namespace || (below && (namespace === '' || path.startsWith(`${namespace}/`)))
}
