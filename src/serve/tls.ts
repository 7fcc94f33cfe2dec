import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { KeyferryError } from '../core/errors.ts'

export interface Tls {
  /** A chain and its private key, PEM. */
  cert: string
  key: string
  /** The oldest version that is spoken: TLSv1.2 unless told. */
  minVersion?: 'TLSv1.2' | 'TLSv1.3'
}

/** What a server is given. Throws `invalid` for a certificate and a key with which no caller could be answered. */
export function checkedTls({ cert, key, minVersion = 'TLSv1.2' }: Tls): Required<Tls> {
  try {
    createSecureContext({ cert, key })
    // The line before takes a chain without a key, and on Deno it takes anything.
    if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return { cert, key, minVersion }
  } catch (cause) {
    throw unusableTls(cause)
  }
  throw unusableTls()
}

/** What is said of a certificate and a key that are no good, whoever found it, and in which way. */
export function unusableTls(cause?: unknown, more = ''): KeyferryError {
  const problem = `the TLS certificate or its key cannot be used: PEM of a matching pair is wanted${more}`
  return new KeyferryError('invalid', problem, { cause })
}
