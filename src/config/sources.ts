/** A setting that a flag or an environment variable can say too. */
export interface Source {
  /** Where it is in the schema. */
  path: readonly [string, ...string[]]
  flag: string
  variable: string
  /** What the flag takes, and what it is, for the help. */
  value: string
  help: string
}

export const sources: readonly Source[] = [
  {
    path: ['data'],
    flag: 'data',
    variable: 'KEYFERRY_DATA',
    value: 'DIR',
    help: 'the data folder that "keyferry init" made',
  },
  {
    path: ['listen'],
    flag: 'listen',
    variable: 'KEYFERRY_LISTEN',
    value: 'HOST:PORT',
    help: 'where to listen, 127.0.0.1:8200 unless told; port 0 takes a free one',
  },
  {
    path: ['tls', 'cert'],
    flag: 'tls-cert',
    variable: 'KEYFERRY_TLS_CERT',
    value: 'FILE',
    help: 'certificate chain (PEM)',
  },
  { path: ['tls', 'key'], flag: 'tls-key', variable: 'KEYFERRY_TLS_KEY', value: 'FILE', help: 'its private key (PEM)' },
  {
    path: ['rootKey', 'file'],
    flag: 'root-key-file',
    variable: 'KEYFERRY_ROOT_KEY_FILE',
    value: 'FILE',
    help: 'the root key, when it is not DIR/root.key',
  },
  {
    path: ['rootKey', 'previousFile'],
    flag: 'root-key-file-previous',
    variable: 'KEYFERRY_ROOT_KEY_FILE_PREVIOUS',
    value: 'FILE',
    help: 'the root key before it, during a rotation, when it is not DIR/root.key-previous',
  },
  {
    path: ['audit', 'file'],
    flag: 'audit-file',
    variable: 'KEYFERRY_AUDIT_FILE',
    value: 'FILE',
    help: 'record every request and answer in this file; SIGHUP opens it anew',
  },
  {
    path: ['log', 'level'],
    flag: 'log-level',
    variable: 'KEYFERRY_LOG_LEVEL',
    value: 'LEVEL',
    help: 'info (unless told), warn or error',
  },
  {
    path: ['log', 'format'],
    flag: 'log-format',
    variable: 'KEYFERRY_LOG_FORMAT',
    value: 'FORMAT',
    help: 'text on a terminal, json elsewhere, unless told',
  },
]

/** Variables that are read elsewhere: the root keys themselves (root-key.ts) and the name of the configuration file. */
export const otherVariables = ['KEYFERRY_ROOT_KEY', 'KEYFERRY_ROOT_KEY_PREVIOUS', 'KEYFERRY_CONFIG'] as const

/**
 * Kubernetes and Docker put such variables into every container near a service named "keyferry" (KEYFERRY_SERVICE_HOST,
 * KEYFERRY_PORT_8200_TCP): they are not settings, and no reason to refuse the start.
 */
export const serviceLink = /^KEYFERRY_(SERVICE_HOST|SERVICE_PORT|PORT)(_|$)/
