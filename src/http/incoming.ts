import type { Failed } from './errors.ts'
import type { Trail } from './middleware/trail.ts'
import type { Target } from './vault/target.ts'

/** A request whose line and size were found good. */
export interface Incoming {
  request: Request
  target: Target
  query: URLSearchParams
  body: string
  remoteAddress: string | undefined
  /** What the audit log will say of it. */
  trail: Trail
  /** Fills up as the request gets along: what its answer needs, should it fail. */
  failed: Failed
}
