/** The kinds of lines of the audit log. */
export type LineKind = 'request' | 'response' | 'cloud'

/** How the audit log stands, since the start of the process. */
export interface AuditFigures {
  healthy: boolean
  sinks: number
  /** Sinks that did not take the last lines that they were given. */
  failing: number
  /** Lines that at least one sink took, and lines that none did. */
  recorded: Record<LineKind, number>
  lost: Record<LineKind, number>
}
