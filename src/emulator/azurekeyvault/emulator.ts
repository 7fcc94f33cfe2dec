import { randomBytes, randomUUID } from 'node:crypto'
import { createServer as createHttpServer, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { type EmulatorControls, type PrincipalInfo, routeToAdmin, type VaultInfo } from './admin.ts'
import { clouds } from './clouds.ts'
import { Directory, type Principal } from './directory.ts'
import { Faults } from './faults.ts'
import { createListener, routeAll, routeManagedIdentity } from './http.ts'
import type { RsaKeyPairs } from './key-material.ts'
import { RequestLog } from './request-log.ts'
import type { PrincipalSpec, VaultSpec } from './specs.ts'
import type { EmulatorState } from './state.ts'
import { Throttle } from './throttle.ts'
import { createThrowAwayAuthority } from './tls.ts'
import { TokenIssuer } from './tokens.ts'
import { Vault } from './vault.ts'

export interface KeyVaultEmulatorOptions {
  /** Where to listen; default 127.0.0.1. */
  readonly host?: string
  /** Default 0: any free port. */
  readonly port?: number
  readonly vaults?: readonly VaultSpec[]
  readonly principals?: readonly PrincipalSpec[]
  /** The tenant of vaults that name none; default: that of the first principal, else a random one. */
  readonly tenantId?: string
  /** Also serve the managed-identity endpoint, over plain HTTP on a port of its own (`imdsUrl`). */
  readonly managedIdentity?: boolean
  /** How long an access token lives; default 3,600. */
  readonly tokenLifetimeSeconds?: number
  /** The bearer token of the admin API; default: a random one. */
  readonly adminToken?: string
  /** ms since 1970; default Date.now. */
  readonly now?: () => number
  /** Makes RSA key pairs in place of the emulator, so that a test can use one again. */
  readonly rsaKeyPairs?: RsaKeyPairs
}

/** A running emulator. */
export interface KeyVaultEmulator extends EmulatorControls {
  /** `https://127.0.0.1:PORT`. Vaults are told apart by the Host header, so send the name of one in it. */
  readonly url: string
  readonly port: number
  readonly adminToken: string
  /** For AZURE_POD_IDENTITY_AUTHORITY_HOST, with the option `managedIdentity`. */
  readonly imdsUrl: string | undefined
  /** Stops listening and drops every connection. */
  close(): Promise<void>
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve((server.address() as AddressInfo).port)
    })
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

const vaultInfo = (vault: Vault): VaultInfo => ({
  name: vault.name,
  kind: vault.spec.kind,
  host: vault.host,
  url: `https://${vault.host}`,
  tenantId: vault.tenantId,
})

const principalInfo = (principal: Principal): PrincipalInfo => ({
  tenantId: principal.tenantId,
  clientId: principal.clientId,
  objectId: principal.objectId,
  permissions: principal.permissions ?? null,
  vaults: principal.vaults ?? null,
})

/** 1,000 years in ms: beyond them dates have no four-digit year. */
const farthest = 1000 * 365 * 86_400_000

const knownSuffixes = clouds.flatMap(({ vaultSuffix, managedHsmSuffix }) => [vaultSuffix, managedHsmSuffix])

/**
 * Starts an emulator of Azure Key Vault and of the token authority that it needs. Everything is in memory; nothing is written anywhere.
 *
 * @throws {TypeError} for a wrong vault or principal, and what `listen` throws when the address is taken
 */
export async function startKeyVaultEmulator(options: KeyVaultEmulatorOptions = {}): Promise<KeyVaultEmulator> {
  const clientNow = options.now ?? Date.now
  let advanced = 0
  const now = () => clientNow() + advanced
  const host = options.host ?? '127.0.0.1'
  const directory = new Directory()
  for (const principal of options.principals ?? []) directory.add(principal)
  const tenantId = options.tenantId ?? directory.principals[0]?.tenantId ?? randomUUID()
  const vaults = new Map<string, Vault>()
  const state: EmulatorState = {
    directory,
    vaults,
    faults: new Faults(),
    throttle: new Throttle(),
    log: new RequestLog(),
    tokens: new TokenIssuer(),
    tokenLifetimeSeconds: options.tokenLifetimeSeconds ?? 3600,
    rsaKeyPairs: options.rsaKeyPairs,
    now,
    clientNow,
  }
  const register = (spec: VaultSpec): Vault => {
    const vault = new Vault(spec, tenantId, now)
    if (vaults.has(vault.host)) throw new TypeError(`There is a vault ${vault.host} already.`)
    vaults.set(vault.host, vault)
    return vault
  }
  for (const spec of options.vaults ?? []) register(spec)

  const authority = await createThrowAwayAuthority()
  const certified = new Set(knownSuffixes)
  const certify = () => {
    for (const vault of vaults.values()) certified.add(vault.suffix)
    return authority.issue([...certified])
  }

  const controls: EmulatorControls = {
    caCertificate: authority.certificate,
    async addVault(spec) {
      const vault = register(spec)
      if (!certified.has(vault.suffix)) server.setSecureContext(await certify())
      return vaultInfo(vault)
    },
    listVaults: () => [...vaults.values()].map(vaultInfo),
    addPrincipal: (spec) => principalInfo(directory.add(spec)),
    listPrincipals: () => directory.principals.map(principalInfo),
    restrict: (clientId, permissions, names) => directory.restrict(clientId, permissions, names),
    injectFault: (spec) => state.faults.inject(spec),
    listFaults: () => state.faults.list(),
    clearFaults: () => state.faults.clear(),
    advanceClock(ms) {
      if (!(ms >= 0 && advanced + ms <= farthest)) {
        throw new TypeError(`The clock moves forward by ms, at most 1,000 years in all; ${ms} is not allowed.`)
      }
      advanced += ms
      return now()
    },
    now,
    get requests() {
      return state.log.list()
    },
    clearRequests: () => state.log.clear(),
  }

  const adminToken = options.adminToken ?? randomBytes(24).toString('base64url')
  const closing = new AbortController()
  const listener = createListener(state, routeAll(state, routeToAdmin(controls, adminToken)), closing.signal)
  const server = createHttpsServer(await certify(), listener)
  const plain = options.managedIdentity
    ? createHttpServer(createListener(state, routeManagedIdentity(state), closing.signal))
    : undefined
  const urlHost = host.includes(':') ? `[${host}]` : host
  const port = await listen(server, host, options.port ?? 0)
  let imdsUrl: string | undefined
  if (plain !== undefined) imdsUrl = `http://${urlHost}:${await listen(plain, host, 0)}`

  return Object.defineProperties(
    {
      url: `https://${urlHost}:${port}`,
      port,
      adminToken,
      imdsUrl,
      async close() {
        closing.abort()
        await Promise.all([close(server), ...(plain === undefined ? [] : [close(plain)])])
      },
    },
    // Not spread, since that would read `requests` once and for all.
    Object.getOwnPropertyDescriptors(controls),
  ) as KeyVaultEmulator
}
