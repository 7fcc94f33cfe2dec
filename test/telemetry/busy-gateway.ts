import type { Sink } from '../../src/core/audit/sink.ts'
import type { Context } from '../../src/core/context.ts'
import { CloudError } from '../../src/core/kms/provider.ts'
import type { AppOptions } from '../../src/http/options.ts'
import { createTelemetry } from '../../src/telemetry/index.ts'
import { type Gateway, gateway } from '../http/gateway.ts'
import { as, good, makeNamespace } from '../http/tenants.ts'

/** Words that a tenant chose, and secrets: none may be in a metric. */
export const canaries = ['c4n4ry-key', 'c4n4ry-kms', 'c4n4ry-team', 'c4n4ry-mount', 'c4n4ry-policy', 'c4n4ry-secret']

export interface Measured {
  vault: Gateway
  /** While true, no line of the audit log is taken. */
  audit: { broken: boolean }
  print(): Promise<string>
}

/** A gateway that is counted. */
export async function measuredGateway(
  options: Partial<AppOptions> = {},
  context: Partial<Context> = {},
): Promise<Measured> {
  const telemetry = createTelemetry('1.2.3')
  const audit = { broken: false }
  const sink: Sink = {
    name: 'test',
    write: async () => {
      if (audit.broken) throw new Error('no space left on device')
    },
    reopen: async () => {},
    close: async () => {},
  }
  const vault = await gateway({ telemetry, ...options }, { observer: telemetry, audit: { sinks: [sink] }, context })
  return { vault, audit, print: () => telemetry.print(vault.core) }
}

/** Lets everything happen once that is counted: successes, refusals, throttling, drift, in a namespace with telling names. */
export async function liveABit({ vault, audit }: Measured): Promise<void> {
  await makeNamespace(vault, 'c4n4ry-team')
  const team = as(vault, vault.rootToken, 'c4n4ry-team')
  await good(team('POST', 'sys/mounts/c4n4ry-mount', { type: 'keymgmt' }))
  await good(team('POST', 'sys/policies/acl/c4n4ry-policy', { policy: 'path "x" { capabilities = ["read"] }' }))
  const engine = 'c4n4ry-mount'
  await good(team('POST', `${engine}/key/c4n4ry-key`, { type: 'rsa-2048' }))
  const kms = { provider: 'memory', key_collection: 'vault', credentials: { secret: 'c4n4ry-secret' } }
  await good(team('POST', `${engine}/kms/c4n4ry-kms`, kms))
  vault.cloud.faults = [
    { call: 'import', times: 1, error: () => new CloudError('throttled', 'not now', { status: 429 }) },
  ]
  const place = `${engine}/kms/c4n4ry-kms/key/c4n4ry-key`
  await good(team('POST', place, { purpose: 'sign,verify' }))
  await good(team('POST', `${engine}/key/c4n4ry-key/rotate`))
  for (const versions of vault.cloud.keys.values()) for (const one of versions) one.enabled = false
  await good(team('POST', `${engine}/kms/c4n4ry-kms/reconcile`))
  await team('GET', `${engine}/key/c4n4ry-key`)
  await team('GET', `${engine}/kms/c4n4ry-none/diagnose`)
  await team('GET', `${engine}/c4n4ry-nothing/at/all`)
  await team('LIST', `${engine}/key`)
  await vault.send('GET', 'c4n4ry-nowhere/c4n4ry-key', undefined, { 'x-vault-token': 'c4n4ry-secret' })
  await vault.send('GET', 'sys/health?activecode=299')
  audit.broken = true
  await vault.send('GET', 'sys/mounts')
  audit.broken = false
  await vault.send('GET', 'sys/mounts')
}
