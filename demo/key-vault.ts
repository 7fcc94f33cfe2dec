import { readFileSync } from 'node:fs'
import https from 'node:https'
import { rootCertificates } from 'node:tls'
import { ClientSecretCredential } from '@azure/identity'
import { CryptographyClient, KeyClient } from '@azure/keyvault-keys'

interface Routed {
  agent?: unknown
}

/**
 * Microsoft's own SDK, as an application would use it, but for one thing: the sockets for `NAME.vault.azure.net` and the login
 * service go to the emulator, whose certificates are trusted. The SDK itself is none the wiser.
 */
export function connectToKeyVault(env: Readonly<Record<string, string>>) {
  const agent = emulatorAgent(env)
  const routed = {
    additionalPolicies: [
      {
        policy: {
          name: 'to-the-emulator',
          sendRequest<R>(request: Routed, next: (request: Routed) => Promise<R>): Promise<R> {
            request.agent = agent
            return next(request)
          },
        },
        position: 'perRetry',
      },
    ],
  } as Pick<NonNullable<ConstructorParameters<typeof KeyClient>[2]>, 'additionalPolicies'>
  const credential = new ClientSecretCredential(
    env.AZURE_TENANT_ID ?? '',
    env.AZURE_CLIENT_ID ?? '',
    env.AZURE_CLIENT_SECRET ?? '',
    { ...routed, disableInstanceDiscovery: true },
  )
  const origin = `https://${env.KEY_VAULT_NAME}.vault.azure.net`
  return {
    keys: new KeyClient(origin, credential, routed),
    /** Decrypts in the vault, with one version of a key, RSA-OAEP-256. */
    async decrypt(name: string, version: string, ciphertext: Buffer): Promise<Buffer> {
      const client = new CryptographyClient(`${origin}/keys/${name}/${version}`, credential, routed)
      const { result } = await client.decrypt({ algorithm: 'RSA-OAEP-256', ciphertext })
      return Buffer.from(result)
    },
    close: () => agent.destroy(),
  }
}

function emulatorAgent(env: Readonly<Record<string, string>>): https.Agent {
  const { hostname, port } = new URL(env.EMULATOR_URL ?? '')
  const ca = [...rootCertificates, readFileSync(env.EMULATOR_CA_FILE ?? '', 'utf8')]
  class EmulatorAgent extends https.Agent {
    override createConnection(
      ...[options, callback]: Parameters<https.Agent['createConnection']>
    ): ReturnType<https.Agent['createConnection']> {
      const servername = 'servername' in options ? options.servername : undefined
      return super.createConnection(
        {
          ...options,
          host: hostname,
          port: Number(port),
          servername: servername ?? options.host ?? undefined,
        } as typeof options,
        callback,
      )
    }
  }
  return new EmulatorAgent({ keepAlive: true, ca })
}
