/** What the app is told by whoever makes it. */
export interface AppOptions {
  /** Keyferry's own version: shown by `sys/health` and `sys/seal-status`, behind the version of Vault whose API this is. */
  version: string
  /** The kind of store, shown by `sys/seal-status`: `sqlite`. */
  storageType: string
  /** How long a request waits for a cloud before it answers with a warning, in ms: less than clients' 60 s. */
  requestDeadlineMs: number
  /** Longest body in bytes. */
  maxBodyBytes: number
  /** Deepest nesting of a JSON body, and most members of one of its objects or arrays: Vault's defaults. */
  maxJsonDepth: number
  maxJsonEntries: number
  /** How many answers are kept, and how many characters in all. */
  maxCachedAnswers: number
  maxCachedCharacters: number
}

export const defaultOptions: AppOptions = {
  version: '0.0.0',
  storageType: 'sqlite',
  requestDeadlineMs: 50_000,
  maxBodyBytes: 1024 * 1024,
  maxJsonDepth: 300,
  maxJsonEntries: 10_000,
  maxCachedAnswers: 20_000,
  maxCachedCharacters: 8 * 1024 * 1024,
}
