import { createPrivateKey, X509Certificate } from 'node:crypto'
import { invalid, oneOf } from '../../core/errors.ts'
import { printable } from '../../core/keys/types.ts'

/** What a client may write into `credentials`: Vault's four, then Keyferry's own. */
export const credentialKeys = [
  'tenant_id',
  'client_id',
  'client_secret',
  'environment',
  'client_certificate',
  'managed_identity_client_id',
  'managed_identity_resource_id',
  'managed_identity_object_id',
  'kek_id',
  'kek_fingerprint',
] as const

export type CredentialKey = (typeof credentialKeys)[number]

/** The written credentials; a value that was written empty counts as not written. */
export type Written = Partial<Record<CredentialKey, string>>

/**
 * Takes the pairs as written. Vault ignores keys that it does not know, so that a typing error shows only when a call fails; here
 * they are refused with the names that are allowed.
 */
export function readCredentials(pairs: Readonly<Record<string, string>>): Written {
  const written: Written = {}
  for (const [name, value] of Object.entries(pairs)) {
    const key = credentialKeys.find((known) => known === name)
    if (!key) throw invalid(`unknown credential "${printable(name)}": allowed are ${oneOf(credentialKeys)}`)
    if (value !== '') written[key] = value
  }
  if (written.client_secret !== undefined && written.client_certificate !== undefined) {
    throw invalid('client_secret and client_certificate cannot both be given: give the one that is to be used')
  }
  return written
}

const guid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const domain = /^(?=.{4,253}$)(?:[0-9a-z](?:[0-9a-z-]{0,61}[0-9a-z])?\.)+[a-z][0-9a-z-]{0,61}[0-9a-z]$/i

/** Whether the text is a GUID, which names a tenant without regard to its domains. */
export function isGuid(text: string): boolean {
  return guid.test(text)
}

/** The tenant becomes a part of the path on the authority: nothing but a GUID or a domain name passes. */
export function checkTenantId(tenantId: string | undefined): string {
  if (tenantId === undefined) {
    throw invalid('tenant_id is missing: it must be given in every case, also with a managed identity')
  }
  if (guid.test(tenantId) || domain.test(tenantId)) return tenantId.toLowerCase()
  throw invalid(
    `tenant_id "${printable(tenantId)}" is not allowed: it must be a GUID or a domain name such as contoso.onmicrosoft.com`,
  )
}

/** An id without spaces and control characters, short enough to be one. */
export function checkId(name: string, value: string): string {
  if (/^[\x21-\x7e]{1,512}$/.test(value)) return value
  throw invalid(`${name} is not allowed: 1 to 512 visible ASCII characters are`)
}

/** A secret as it goes into a form: no control characters, which would only come from a slip such as a final newline. */
export function checkSecret(value: string): string {
  if (value.length <= 4096 && !/[\u0000-\u001f\u007f]/.test(value)) return value
  throw invalid(
    'client_secret is not allowed: up to 4096 characters without control characters are (is there a newline at its end?)',
  )
}

/**
 * Takes a certificate with its private key, both PEM, in any order; line ends may be written as `\n`, as they arrive from shells.
 * Gives the key before the certificates, each as it was. Throws `invalid`, which never repeats any of it.
 */
export function checkCertificate(text: string, now: number): { pem: string; warnings: string[] } {
  const pem = text.includes('\n') ? text : text.replaceAll('\\n', '\n')
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? []
  const keys = pem.match(/-----BEGIN (?:RSA )?PRIVATE KEY-----[\s\S]+?-----END (?:RSA )?PRIVATE KEY-----/g) ?? []
  const [first] = certificates
  const [key] = keys
  if (first === undefined || key === undefined || keys.length > 1) {
    throw invalid(
      'client_certificate is not allowed: it must hold a certificate and its one unencrypted RSA private key, both in PEM',
    )
  }
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(first)
    const privateKey = createPrivateKey(key)
    if (privateKey.asymmetricKeyType !== 'rsa' || !certificate.checkPrivateKey(privateKey)) throw new Error('no match')
  } catch {
    throw invalid(
      'client_certificate is not allowed: its first certificate and its RSA private key must be readable and belong together',
    )
  }
  const expired = certificate.validToDate.getTime() < now
  return {
    pem: [key, ...certificates, ''].join('\n'),
    warnings: expired ? [`client_certificate has expired on ${certificate.validToDate.toISOString()}`] : [],
  }
}

/** A key encryption key made elsewhere, named in the KMS. */
export interface NamedKek {
  name: string
  version: string
  /** `sha256:` and the lower-case hex of the SPKI DER's SHA-256. */
  fingerprint: string
}

/** Takes `kek_id` and `kek_fingerprint`, which go together; gives undefined when neither is written. */
export function readNamedKek(written: Written, collection: string): NamedKek | undefined {
  const { kek_id: id, kek_fingerprint: fingerprint } = written
  if (id === undefined && fingerprint === undefined) return undefined
  if (id === undefined) throw invalid('kek_id is missing: kek_id and kek_fingerprint must be given together')
  if (fingerprint === undefined)
    throw invalid('kek_fingerprint is missing: kek_id and kek_fingerprint must be given together')
  const parsed = parseKeyId(id, collection)
  if (!parsed) {
    throw invalid(
      `kek_id "${printable(id)}" is not allowed: it must be the full id with version, ${collection}/keys/<name>/<32 hex digits>`,
    )
  }
  if (!/^sha256:[0-9a-f]{64}$/i.test(fingerprint)) {
    throw invalid(
      'kek_fingerprint is not allowed: it must be "sha256:" and 64 hex digits, over the DER of the SubjectPublicKeyInfo',
    )
  }
  return { ...parsed, fingerprint: fingerprint.toLowerCase() }
}

/**
 * Takes the id of a key version (`https://<host>/keys/<name>/<32 hex digits>`, compared without regard to case, as the service does)
 * and the vault's origin; gives name and version, or undefined when it is not one of that very vault.
 */
export function parseKeyId(id: string, collection: string): { name: string; version: string } | undefined {
  const prefix = `${collection}/keys/`
  if (id.slice(0, prefix.length).toLowerCase() !== prefix) return undefined
  const match = /^([0-9a-zA-Z-]{1,127})\/([0-9a-fA-F]{32})$/.exec(id.slice(prefix.length))
  return match?.[1] && match[2] ? { name: match[1], version: match[2] } : undefined
}
