import type { Agent } from 'node:https'
import type { TokenCredential } from '@azure/identity'
import { CloudError, type Finding } from '../../core/kms/provider.ts'
import type { Deadline, VaultClient } from './client.ts'
import type { Cloud } from './clouds.ts'
import { type ImportMeter, importLimit } from './import-meter.ts'
import type { KekKeeper, KekLook } from './kek.ts'
import type { KekVault } from './kek-vault.ts'
import type { Route } from './network.ts'
import { checkDns, type DnsOptions } from './preflight-dns.ts'
import { type Probed, type Probes, probePermissions, type Verdict } from './preflight-permissions.ts'
import { checkTls } from './preflight-tls.ts'

export interface PreflightOptions {
  client: VaultClient
  cloud: Cloud
  vault: KekVault
  keks: KekKeeper
  agent: Agent
  route: Route
  dns: DnsOptions
  /** Makes a credential that holds no token yet. */
  credential: () => TokenCredential
  meter: ImportMeter
  random: (bytes: number) => Buffer
  now: () => number
}

/** The api-version of the one request that is made without the SDK: any that all vaults serve will do. */
const plainVersion = '7.4'

/**
 * Looks at everything between this machine and a first key in the vault: name, TLS, clock, token, permissions, tier, key encryption
 * key, room. Changes nothing there. Gives findings in that order; rejects only when the program is at fault.
 */
export async function preflight(options: PreflightOptions, time: Deadline): Promise<Finding[]> {
  const { host } = options.client.target
  const findings = [await nameFinding(options)]
  const serviceVersion = options.cloud.serviceVersion ?? plainVersion
  const reached = await checkTls(host, { ...options, serviceVersion }, time)
  if (!('findings' in reached)) return [...findings, reached, unchecked('the vault was not reached')]
  findings.push(...reached.findings)
  const token = await tokenFinding(options, reached.tenantId, time)
  findings.push(token)
  if (token.level === 'error') return [...findings, unchecked('there is no token')]
  const name = `keyferry-preflight-${options.random(16).toString('hex')}`
  const probes = await probePermissions(options.client, name, time)
  if (probes.shut) {
    const { message } = probes.shut
    return [
      ...findings,
      { level: 'error', code: 'shut', message, action: 'see what the message says' },
      unchecked('the vault does not let this machine in'),
    ]
  }
  // Whether there is one is told only to those who may see it in the vault: others could learn of whom else uses it.
  const unseen = { look: undefined, findings: [] }
  const kek = probes.verdicts.get === 'granted' ? await kekFindings(options, time) : unseen
  findings.push(
    ...permissionFindings(probes),
    ...probes.findings,
    tierFinding(options, probes, kek.look),
    ...kek.findings,
  )
  return [...findings, parallelFinding(probes.verdicts.list), throttlingFinding(options, probes)]
}

function unchecked(why: string): Finding {
  return { level: 'info', code: 'not_checked', message: `nothing more was looked at, since ${why}` }
}

async function nameFinding({ client, route, dns }: PreflightOptions): Promise<Finding> {
  const { host } = client.target
  if (route.connectTo) {
    const message = `DNS does not matter for ${host}: the operator's connectTo says where calls go`
    return { level: 'info', code: 'dns_not_used', message }
  }
  if (route.proxy) {
    const message = `DNS of this machine does not matter for ${host}, unless NO_PROXY names it: calls go by the operator's proxy, which looks the name up`
    return { level: 'info', code: 'dns_not_used', message }
  }
  return await checkDns(host, dns)
}

/** Asks the authority anew, since a token that is still kept says nothing about a secret that has run out. */
async function tokenFinding(options: PreflightOptions, tenantId: string | undefined, time: Deadline): Promise<Finding> {
  const { client, cloud } = options
  const resource = cloud.tokenResource ?? `https://${client.target.host.slice(client.target.name.length + 1)}`
  try {
    const token = await options
      .credential()
      .getToken(`${resource}/.default`, { abortSignal: time.signal, ...(tenantId !== undefined && { tenantId }) })
    const seconds = Math.round(((token?.expiresOnTimestamp ?? 0) - options.now()) / 1000)
    return { level: 'ok', code: 'token', message: `a token for ${resource} was given, good for ${seconds} s` }
  } catch (error) {
    const message = error instanceof CloudError ? error.message : 'no token: its time was over'
    return {
      level: 'error',
      code: 'token',
      message,
      action:
        'write credentials into the KMS that the authority accepts: tenant_id, client_id, client_secret, environment',
    }
  }
}

const neededFor: Readonly<Record<Exclude<Probed, 'list'>, string>> = {
  get: 'reading back what is there, before and after every import',
  update: 'disabling and enabling versions (min_enabled_version)',
  delete: 'removing keys',
  create: 'making the key encryption key',
  import: 'bringing keys in',
}

function permissionFindings({ verdicts }: Probes): Finding[] {
  return (['create', 'delete', 'get', 'import', 'update'] as const).map((permission) =>
    permissionFinding(permission, verdicts[permission]),
  )
}

function permissionFinding(permission: keyof typeof neededFor, verdict: Verdict): Finding {
  const code = `permission_${permission}`
  const use = `the permission "${permission}" on keys, for ${neededFor[permission]},`
  if (verdict === 'granted') return { level: 'ok', code, message: `${use} is there` }
  if (verdict === 'likely')
    return { level: 'ok', code, message: `${use} is there, as far as a request that can make nothing shows` }
  if (verdict === 'unknown')
    return { level: 'info', code, message: `whether ${use} is there could not be told without changing anything` }
  return {
    level: 'error',
    code,
    message: `${use} is missing`,
    action:
      `give the identity the key permission "${permission}" (access policy), or the role Key Vault Crypto Officer (RBAC); in a ` +
      'Managed HSM, the role Managed HSM Crypto User',
  }
}

function tierFinding({ client, cloud }: PreflightOptions, { tier }: Probes, look: KekLook | undefined): Finding {
  const code = 'tier'
  if (client.target.kind === 'managedhsm')
    return { level: 'ok', code, message: 'it is a Managed HSM: protection hsm only' }
  if (cloud.kekType === 'RSA') {
    const message = 'the operator says that vaults of this cloud have no HSM: the key encryption key is a software key'
    return { level: 'warning', code, message }
  }
  if (look?.state === 'sound' || tier === 'premium')
    return { level: 'ok', code, message: 'the vault is of the premium tier: protection hsm and software' }
  if (tier === 'standard') {
    return {
      level: 'warning',
      code,
      message: 'the vault is of the standard tier, which has no HSM: only keys with protection software can go there',
      action: "use a premium vault for keys with protection hsm, Vault's default",
    }
  }
  return { level: 'info', code, message: 'whether the vault is of the premium or the standard tier could not be told' }
}

async function kekFindings(
  { keks, vault }: PreflightOptions,
  time: Deadline,
): Promise<{ look: KekLook | undefined; findings: Finding[] }> {
  const code = 'kek'
  try {
    const look = await keks.look(time)
    if (look.state === 'none') {
      const message = 'there is no key encryption key yet: the first key with protection hsm makes one'
      return { look, findings: [{ level: 'info', code, message }] }
    }
    if (look.state === 'sound') {
      const message = `the key encryption key ${look.keyId} is there and as it was pinned`
      return { look, findings: [{ level: 'ok', code, message }, await attestationFinding(vault, look.keyId, time)] }
    }
    const which = look.named ? 'the key encryption key that kek_id names' : 'the key encryption key that was pinned'
    const finding: Finding = look.named
      ? {
          level: 'error',
          code,
          message: `${which} ${look.why}`,
          action: 'name a sound one with kek_id and kek_fingerprint',
        }
      : { level: 'warning', code, message: `${which} ${look.why}: the next import makes a new one and uses that` }
    return { look, findings: [finding] }
  } catch (error) {
    if (!(error instanceof CloudError)) throw error
    const message = `the key encryption key could not be looked at: ${error.message}`
    return { look: undefined, findings: [{ level: 'info', code, message }] }
  }
}

async function attestationFinding(vault: KekVault, keyId: string, time: Deadline): Promise<Finding> {
  const code = 'kek_attestation'
  const found = await vault.attestation(keyId, time).catch((error: unknown) => {
    if (!(error instanceof CloudError)) throw error
    return undefined
  })
  return found
    ? { level: 'ok', code, message: `the HSM attests the key encryption key (attestation version ${found.version})` }
    : { level: 'info', code, message: 'there is no attestation of the key encryption key: only Managed HSMs give them' }
}

function parallelFinding(list: Verdict): Finding {
  const code = 'imports'
  if (list === 'granted')
    return { level: 'ok', code, message: 'listing is permitted: the versions of a key are imported side by side' }
  return {
    level: 'info',
    code,
    message: 'listing is not permitted, which is no fault: the versions of a key are imported one at a time',
    action: 'for speed, and to see versions that others add, give the identity the key permission "list"',
  }
}

function throttlingFinding({ client, meter }: PreflightOptions, { throttled }: Probes): Finding {
  const code = 'throttling'
  const sent = meter.count(client.target.collection)
  const room =
    `imports sent by this process in the last 10 s, its preflights included: ${sent}, of the ${importLimit} that Azure takes from all ` +
    'callers together'
  if (throttled === 0) return { level: 'ok', code, message: `${room}; it does not say how many are left` }
  return {
    level: 'warning',
    code,
    message: `the vault is throttling: ${throttled} of the preflight's own requests were answered with 429; ${room}`,
    action: 'find out who else uses the vault so much, or spread keys over several vaults',
  }
}
