/** What of an audit log is a namespace's own. */
export interface View {
  /** A path without slashes at its ends; '' is the root. */
  namespace: string
  /** Of namespaces below it as well. */
  below: boolean
}

/**
 * Whether a line of an audit log is in the view: of a request in that namespace, or of a call to a cloud on its behalf. Undefined for what is
 * no line of an audit log.
 */
export function isInView(line: string, { namespace, below }: View): boolean | undefined {
  const path = namespaceOf(line)
  if (path === undefined) return undefined
  return path === namespace || (below && (namespace === '' || path.startsWith(`${namespace}/`)))
}

function namespaceOf(line: string): string | undefined {
  let entry: { request?: { namespace?: { id?: unknown; path?: unknown } } } | null
  try {
    entry = JSON.parse(line)
  } catch {
    return undefined
  }
  const namespace = entry?.request?.namespace
  if (typeof namespace?.id !== 'string') return undefined
  return typeof namespace.path === 'string' ? namespace.path.replace(/\/$/, '') : ''
}
