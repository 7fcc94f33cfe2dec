import { describedAt } from './schema.ts'

/** A setting that a flag or an environment variable can say too. */
export interface Source {
  /** Where it is in the schema. */
  path: readonly [string, ...string[]]
  flag: string
  variable: string
  /** What the flag takes, for the help. */
  value: string
}

export const sources: readonly Source[] = [
  { path: ['data'], flag: 'data', variable: 'KEYFERRY_DATA', value: 'DIR' },
  { path: ['listen'], flag: 'listen', variable: 'KEYFERRY_LISTEN', value: 'HOST:PORT' },
  { path: ['publicUrl'], flag: 'public-url', variable: 'KEYFERRY_PUBLIC_URL', value: 'URL' },
  { path: ['tls', 'cert'], flag: 'tls-cert', variable: 'KEYFERRY_TLS_CERT', value: 'FILE' },
  { path: ['tls', 'key'], flag: 'tls-key', variable: 'KEYFERRY_TLS_KEY', value: 'FILE' },
  { path: ['rootKey', 'file'], flag: 'root-key-file', variable: 'KEYFERRY_ROOT_KEY_FILE', value: 'FILE' },
  {
    path: ['rootKey', 'previousFile'],
    flag: 'root-key-file-previous',
    variable: 'KEYFERRY_ROOT_KEY_FILE_PREVIOUS',
    value: 'FILE',
  },
  { path: ['audit', 'file'], flag: 'audit-file', variable: 'KEYFERRY_AUDIT_FILE', value: 'FILE' },
  { path: ['log', 'level'], flag: 'log-level', variable: 'KEYFERRY_LOG_LEVEL', value: 'LEVEL' },
  { path: ['log', 'format'], flag: 'log-format', variable: 'KEYFERRY_LOG_FORMAT', value: 'FORMAT' },
]

/** What a source's flag is, for the help. */
export function helpOf({ path }: Source): string {
  const { description, default: usual } = describedAt(path)
  return usual === undefined ? description : `${description}; ${usual} unless told`
}

/** Variables that are read elsewhere: the root keys (root-key.ts), the name of the configuration file, failpoints (commands/failpoints.ts). */
export const otherVariables = [
  'KEYFERRY_ROOT_KEY',
  'KEYFERRY_ROOT_KEY_PREVIOUS',
  'KEYFERRY_CONFIG',
  'KEYFERRY_FAILPOINT',
] as const

/**
 * Kubernetes and Docker put such variables into every container near a service named "keyferry" (KEYFERRY_SERVICE_HOST,
 * KEYFERRY_PORT_8200_TCP): they are not settings, and no reason to refuse the start.
 */
export const serviceLink = /^KEYFERRY_(SERVICE_HOST|SERVICE_PORT|PORT)(_|$)/
