import { randomBytes } from 'node:crypto'
import { invalid } from '../../core/errors.ts'
import type { KmsOwner, KmsSettings, Provider } from '../../core/kms/provider.ts'
import { checkAttributes, checkRemoteName, remoteBaseName } from './attributes.ts'
import { VaultClient } from './client.ts'
import { buildClouds, type Cloud } from './clouds.ts'
import { VaultConnection } from './connection.ts'
import { createTokenSource } from './identity.ts'
import { ImportMeter } from './import-meter.ts'
import { KekKeeper } from './kek.ts'
import { rotateKek } from './kek-rotation.ts'
import { KekVault } from './kek-vault.ts'
import { KeyedLock } from './keyed-lock.ts'
import { azureMatrix, checkPlace } from './matrix.ts'
import { checkProxy, createAgent, createMetadataAgent, parseAddress, routeTo } from './network.ts'
import type { AzureOptions } from './options.ts'
import { preflight } from './preflight.ts'
import { type Authentication, resolveSettings } from './settings.ts'

export type { AmbientOptions, AzureOptions, CloudOptions } from './options.ts'

const name = 'azurekeyvault'

/**
 * The provider for Azure Key Vault and Managed HSM. Takes what the operator decides: clouds, ambient credentials, proxy. Throws
 * `invalid` when that is not sound. The Azure SDK is loaded by the first `open`.
 */
export function createAzureKeyVaultProvider(options: AzureOptions = {}): Provider {
  const now = options.now ?? Date.now
  const random = options.random ?? randomBytes
  const callTimeoutMs = options.callTimeoutMs ?? 30_000
  const clouds = buildClouds(options.clouds)
  const agents = new CloudAgents(options)
  const lock = new KeyedLock()
  const rotatedAt = new Map<string, number>()
  const meter = new ImportMeter(now)
  const resolve = (settings: KmsSettings, owner: KmsOwner) =>
    resolveSettings(settings, owner, clouds, options.ambient, now())

  return {
    name,
    matrix: azureMatrix,
    callTimeoutMs,
    settleMs: options.settleMs ?? 10_000,
    // Azure tells the current version by its second of creation.
    newestAfterMs: options.newestAfterMs ?? 1_000,
    // Azure gives no bound; its clients wait for seconds.
    recoveryMs: options.recoveryMs ?? 600_000,
    checkRemoteName,
    remoteBaseName,
    checkCopy(settings, { type, protection, options: copyOptions }) {
      checkPlace(clouds.isManagedHsm(settings.keyCollection), type, protection)
      checkAttributes(copyOptions)
    },
    parse(settings, owner) {
      const { target, warnings } = resolve(settings, owner)
      return { collection: target.collection, warnings }
    },
    shown(settings, owner) {
      const { namedKek, target } = resolve(settings, owner)
      if (!namedKek) return {}
      const { name, version, fingerprint } = namedKek
      return { kek_id: `${target.collection}/keys/${name}/${version}`, kek_fingerprint: fingerprint }
    },
    async open(settings, owner, register, history) {
      const { cloud, target, authentication, namedKek } = resolve(settings, owner)
      const secrets = secretsOf(authentication)
      const credential = () =>
        createTokenSource({
          authentication,
          cloud,
          agent: agents.authority(cloud),
          metadataAgent: agents.metadata,
          route: routeTo(cloud.authorityConnectTo, options.proxy),
          secrets,
          timeoutMs: Math.min(callTimeoutMs, 15_000),
          now,
        })
      const agent = agents.vaults(cloud)
      const route = routeTo(cloud.connectTo, options.proxy)
      const client = new VaultClient({
        target,
        cloud,
        credential,
        agent,
        route,
        secrets,
        now,
        lookUpAgainMs: options.lookUpAgainMs ?? 1_000,
        isKnown: async () =>
          register.current(target.collection)?.state === 'pinned' || (await history?.everDelivered()) === true,
        noteImport: () => meter.note(target.collection),
      })
      const vault = new KekVault({ client, kekType: cloud.kekType, now })
      const keks = new KekKeeper({ vault, register, named: namedKek, lock, random })
      const dns = options.dns ?? {}
      const parts = { client, cloud, vault, keks, agent, route, dns, credential, meter, random, now }
      const rotation = { vault, keeper: keks, register, named: namedKek !== undefined, lock, rotatedAt, random, now }
      return new VaultConnection({
        client,
        keks,
        timeoutMs: callTimeoutMs,
        now,
        preflight: (time) => preflight(parts, time),
        rotateKek: (time) => rotateKek(rotation, time),
      })
    },
  }
}

/** The agents of each cloud, made at first use and shared by all its connections: sockets carry no identity. */
class CloudAgents {
  readonly #options: AzureOptions
  readonly #made = new Map<string, ReturnType<typeof createAgent>>()
  readonly metadata: ReturnType<typeof createMetadataAgent>

  constructor(options: AzureOptions) {
    this.#options = options
    checkProxy(options.proxy)
    const imdsHost = options.ambient?.imdsHost
    const address = imdsHost === undefined ? undefined : parseAddress(imdsHost)
    if (imdsHost !== undefined && !address) throw invalid('the setting imdsHost is not valid: it must be HOST:PORT')
    this.metadata = createMetadataAgent(address)
  }

  vaults(cloud: Cloud) {
    return this.#agent(`vaults ${cloud.name}`, cloud, cloud.connectTo)
  }

  authority(cloud: Cloud) {
    return this.#agent(`authority ${cloud.name}`, cloud, cloud.authorityConnectTo)
  }

  #agent(key: string, cloud: Cloud, connectTo: Cloud['connectTo']) {
    const made =
      this.#made.get(key) ??
      createAgent({ ca: cloud.ca, connectTo, proxy: this.#options.proxy, lookup: this.#options.lookup })
    this.#made.set(key, made)
    return made
  }
}

function secretsOf(authentication: Authentication): string[] {
  if (authentication.kind === 'secret') return [authentication.clientSecret]
  return authentication.kind === 'certificate' ? [authentication.certificate] : []
}
