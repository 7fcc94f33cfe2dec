import { KeyObject, randomBytes, webcrypto } from 'node:crypto'
import { clouds } from './clouds.ts'

/** What an HTTPS server needs, all PEM. */
export interface ServerCertificate {
  readonly key: string
  readonly cert: string
}

/** A certificate authority that lives in memory only and dies with the emulator. */
export interface ThrowAwayAuthority {
  /** The CA's certificate in PEM: what a client must trust. */
  readonly certificate: string
  /** Issues a server certificate for every cloud's names, this machine's, and `*.suffix` of each further suffix. */
  issue(suffixes: readonly string[]): Promise<ServerCertificate>
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

/**
 * @peculiar/x509 injects its parts with tsyringe, which refuses to load without the three `Reflect` functions of the decorator
 * metadata proposal. These few lines are all it needs of them; a real polyfill that is already there is left alone.
 */
function provideReflectMetadata(): void {
  if ('getMetadata' in Reflect) return
  const store = new WeakMap<object, Map<unknown, unknown>>()
  const getMetadata = (key: unknown, target: object) => store.get(target)?.get(key)
  const defineMetadata = (key: unknown, value: unknown, target: object) => {
    const entries = store.get(target) ?? new Map<unknown, unknown>()
    store.set(target, entries.set(key, value))
  }
  Object.assign(Reflect, { getMetadata, getOwnMetadata: getMetadata, defineMetadata })
}

/** A positive serial number of 127 bits in hexadecimal (RFC 5280, section 4.1.2.2). */
function serialNumber(): string {
  const bytes = randomBytes(16)
  bytes.writeUInt8((bytes.readUInt8(0) & 0x7f) | 0x40, 0)
  return bytes.toString('hex')
}

/**
 * Makes a certificate authority (EC P-256, valid from an hour ago for a year by the machine's clock, never the emulator's, since clients
 * check it by theirs). The library is loaded here, since nothing else needs it.
 */
export async function createThrowAwayAuthority(): Promise<ThrowAwayAuthority> {
  provideReflectMetadata()
  const x509 = await import('@peculiar/x509')
  const validity = {
    notBefore: new Date(Date.now() - 3_600_000),
    notAfter: new Date(Date.now() + 365 * 86_400_000),
  }
  const keys = await webcrypto.subtle.generateKey(algorithm, false, ['sign', 'verify'])
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: 'CN=Key Vault emulator throw-away CA',
    ...validity,
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })

  return {
    certificate: authority.toString('pem'),
    async issue(suffixes) {
      const known = clouds.flatMap((cloud) => [
        ...cloud.authorities,
        `*.${cloud.vaultSuffix}`,
        `*.${cloud.managedHsmSuffix}`,
      ])
      const names = new Set(['localhost', ...known, ...suffixes.map((suffix) => `*.${suffix}`)])
      const leaf = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
      const certificate = await x509.X509CertificateGenerator.create({
        serialNumber: serialNumber(),
        subject: 'CN=Key Vault emulator',
        issuer: authority.subject,
        ...validity,
        signingAlgorithm: algorithm,
        publicKey: leaf.publicKey,
        signingKey: keys.privateKey,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
          new x509.SubjectAlternativeNameExtension([
            ...[...names].map((value) => ({ type: 'dns' as const, value })),
            { type: 'ip', value: '127.0.0.1' },
            { type: 'ip', value: '::1' },
          ]),
          await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey),
          await x509.SubjectKeyIdentifierExtension.create(leaf.publicKey),
        ],
      })
      const key = KeyObject.from(leaf.privateKey).export({ format: 'pem', type: 'pkcs8' })
      return { key: key.toString(), cert: certificate.toString('pem') }
    },
  }
}
