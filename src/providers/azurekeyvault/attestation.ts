import type { KeyAttestation } from '@azure/keyvault-keys'
import type { Attestation } from '../../core/kms/provider.ts'

/** The members as the service names them: the certificates in PEM, the two statements as base64url. */
export function attestationText(attestation: KeyAttestation): Attestation {
  const { certificatePemFile, privateKeyAttestation, publicKeyAttestation, version } = attestation
  const base64url = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')
  return {
    ...(certificatePemFile && { certificatePemFile: Buffer.from(certificatePemFile).toString('utf8') }),
    ...(privateKeyAttestation && { privateKeyAttestation: base64url(privateKeyAttestation) }),
    ...(publicKeyAttestation && { publicKeyAttestation: base64url(publicKeyAttestation) }),
    ...(version !== undefined && { version }),
  }
}
