import type { Core } from '../core/core.ts'

/** Counts requests, and prints what a gateway counted: telemetry/ does. */
export interface RequestTelemetry {
  /** A request has come in. Gives its time, for `ended`. */
  begun(): number
  /** It is answered. `route`: the template of its route, or `other`; never anything of its path. */
  ended(begun: number, route: string, method: string, status: number): void
  /** All metrics in Prometheus' text format. */
  print(core: Core): Promise<string>
}

/** What the app is told by whoever makes it. */
export interface AppOptions {
  /** Keyferry's own version: shown by `sys/health` and `sys/seal-status`, behind the version of Vault whose API this is. */
  version: string
  /** The kind of store, shown by `sys/seal-status`: `sqlite`. */
  storageType: string
  /** How long a request waits for a cloud before it answers with a warning, in ms: less than clients' 60 s. */
  requestDeadlineMs: number
  /** The origin under which clients reach the gateway; undefined: that of each request, by its Host header. */
  publicUrl: string | undefined
  /** Longest body in bytes. */
  maxBodyBytes: number
  /** Deepest nesting of a JSON body, and most members of one of its objects or arrays: Vault's defaults. */
  maxJsonDepth: number
  maxJsonEntries: number
  /** How many answers are kept, and how many characters in all. */
  maxCachedAnswers: number
  maxCachedCharacters: number
  /** Nobody counts unless told. */
  telemetry: RequestTelemetry | undefined
  /** Who may read the metrics: tokens with `read` on `sys/metrics` of the root namespace, everybody, or nobody. */
  metrics: 'policy' | 'open' | 'off'
}

export const defaultOptions: AppOptions = {
  version: '0.0.0',
  storageType: 'sqlite',
  requestDeadlineMs: 50_000,
  publicUrl: undefined,
  maxBodyBytes: 1024 * 1024,
  maxJsonDepth: 300,
  maxJsonEntries: 10_000,
  maxCachedAnswers: 20_000,
  maxCachedCharacters: 8 * 1024 * 1024,
  telemetry: undefined,
  metrics: 'policy',
}
