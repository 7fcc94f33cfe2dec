import type { LookupFunction } from 'node:net'
import type { ProxySettings } from './network.ts'

/**
 * What the operator says about one cloud. For a built-in cloud every field is optional and overrides the built-in value; a cloud
 * of the operator's own needs `authorityHost` and `vaultSuffix`.
 */
export interface CloudOptions {
  /** Where tokens come from: an `https://` URL without path. */
  authorityHost?: string | undefined
  /** DNS suffix of vaults, such as `vault.azure.net`. */
  vaultSuffix?: string | undefined
  /** DNS suffix of Managed HSMs; without it none can be named in this cloud. */
  managedHsmSuffix?: string | undefined
  /** Whether MSAL may ask Microsoft about unknown authorities: true for built-in clouds, false for the operator's own. */
  instanceDiscovery?: boolean | undefined
  /** `HOST:PORT` to which sockets for vaults go; URL, Host header, SNI and certificate check keep the vault's real name. */
  connectTo?: string | undefined
  /** The same for the authority. */
  authorityConnectTo?: string | undefined
  /** PEM certificates that are trusted for this cloud, beside those that Node trusts. */
  ca?: string | undefined
  /** `api-version` of the data plane; the SDK's own when missing. */
  serviceVersion?: string | undefined
  /** Type of the key encryption key. `RSA`, for vaults without an HSM, is allowed only under a suffix of the operator's own. */
  kekType?: 'RSA-HSM' | 'RSA' | undefined
  /**
   * The resource that tokens are for, when a vault's challenge names one that is not a parent of the vault's own name. Then the
   * challenge must name exactly this one, and the rule that it must be such a parent is off.
   */
  tokenResource?: string | undefined
}

/**
 * The operator's own credentials, which serve only the listed namespaces and vaults, and only the operator's own `environment`:
 * otherwise a tenant could use the operator's rights on a vault of its choosing.
 */
export interface AmbientOptions {
  /** Paths of namespaces, exact, '' for the root; default the root alone. */
  namespaces?: readonly string[] | undefined
  /** Names or full hosts of vaults; default all. */
  vaults?: readonly string[] | undefined
  /** Whether the host's managed identities may be used. */
  managedIdentity?: boolean | undefined
  /** AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET and AZURE_ENVIRONMENT, as the process was given them. */
  environment?: Readonly<Record<string, string | undefined>> | undefined
  /** Path of a token file for workload identity (AZURE_FEDERATED_TOKEN_FILE). */
  federatedTokenFile?: string | undefined
  /** `HOST:PORT` in place of the instance metadata service's 169.254.169.254:80. */
  imdsHost?: string | undefined
}

/** Everything that the operator decides about this provider. The provider reads nothing from the process's environment itself. */
export interface AzureOptions {
  clouds?: Readonly<Record<string, CloudOptions>> | undefined
  ambient?: AmbientOptions | undefined
  /** Values of HTTPS_PROXY and NO_PROXY. A cloud with `connectTo` never uses the proxy. */
  proxy?: ProxySettings | undefined
  /** Milliseconds since 1970. */
  now?: (() => number) | undefined
  random?: ((bytes: number) => Buffer) | undefined
  /** How long one method of a connection may take, in ms; default 30,000. */
  callTimeoutMs?: number | undefined
  /** How long after that a call that was given up may still take effect, in ms; default 10,000. */
  settleMs?: number | undefined
  /** How long after the others a key's newest version is imported, in ms; default 1,000, since Azure tells versions apart by seconds. */
  newestAfterMs?: number | undefined
  /** How long a recovery that was asked for may take, in ms; default 600,000. */
  recoveryMs?: number | undefined
  /** How long after DNS did not know a vault's name it is asked again, in ms; default 1,000. */
  lookUpAgainMs?: number | undefined
  /** Finds the addresses of names for sockets; the system's way when missing. */
  lookup?: LookupFunction | undefined
  /** Whom the preflight asks for names, `ADDRESS` or `ADDRESS:PORT`, and for how long; the system's servers and 3,000 ms when missing. */
  dns?: { servers?: readonly string[] | undefined; timeoutMs?: number | undefined } | undefined
}
