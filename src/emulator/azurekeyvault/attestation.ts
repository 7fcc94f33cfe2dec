import { createHash } from 'node:crypto'
import { keyBundle } from './bundles.ts'
import { badParameter, type ServiceResponse } from './errors.ts'
import type { Vault } from './vault.ts'

/**
 * GET /keys/{name}/{version}/attestation: the bundle with an attestation, which only a Managed HSM gives. The blobs have the right
 * members and say that an emulator made them; nothing can be verified with them.
 *
 * @throws {ServiceError} 400 in a vault, 404
 */
export function attestKey(vault: Vault, name: string, version: string | undefined): ServiceResponse {
  const found = vault.version(name, version)
  if (!vault.isManagedHsm) throw badParameter('Key attestation is only available in a Managed HSM.')
  const bundle = keyBundle(vault, vault.active(name), found)
  const statement = (part: string) =>
    Buffer.from(
      `Key Vault emulator: no attestation of the ${part} key. Digest of the bundle: ` +
        createHash('sha256').update(JSON.stringify(bundle.key)).digest('hex'),
    ).toString('base64url')
  const attestation = {
    certificatePemFile: Buffer.from('Key Vault emulator: no certificate chain.').toString('base64url'),
    privateKeyAttestation: statement('private'),
    publicKeyAttestation: statement('public'),
    version: '1.0',
  }
  return { status: 200, body: { ...bundle, attributes: { ...(bundle.attributes as object), attestation } } }
}
