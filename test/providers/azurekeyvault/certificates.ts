import { webcrypto } from 'node:crypto'
import { createThrowAwayAuthority } from '../../../src/emulator/azurekeyvault/tls.ts'

const algorithm = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  publicExponent: new Uint8Array([1, 0, 1]),
  modulusLength: 2048,
}

/** A self-signed certificate with its RSA key, both PEM with a final newline. */
export async function selfSigned(
  name: string,
  { expired = false, hosts = [] as string[] } = {},
): Promise<{ certificate: string; privateKey: string }> {
  // Provides what the library needs before it can be loaded.
  await createThrowAwayAuthority()
  const { SubjectAlternativeNameExtension, X509CertificateGenerator } = await import('@peculiar/x509')
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: `CN=${name}`,
    notBefore: new Date('2000-01-01'),
    notAfter: new Date(expired ? '2001-01-01' : '2099-01-01'),
    keys,
    signingAlgorithm: algorithm,
    extensions:
      hosts.length > 0 ? [new SubjectAlternativeNameExtension(hosts.map((value) => ({ type: 'dns', value })))] : [],
  })
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64')
  const lines = pkcs8.match(/.{1,64}/g) ?? []
  return {
    certificate: `${certificate.toString('pem')}\n`,
    privateKey: `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`,
  }
}
