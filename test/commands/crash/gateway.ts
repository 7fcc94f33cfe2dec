import { join } from 'node:path'
import { startGateway } from '../../../src/commands/gateway.ts'
import { createLog } from '../../../src/commands/log.ts'
import { unsealing } from '../../../src/config/root-key.ts'
import { systemContext } from '../../../src/core/context.ts'
import { unseal } from '../../../src/core/seal/unsealing.ts'

/**
 * A gateway in a process of its own, as `keyferry serve` puts it together, but for the time after which a call without an answer counts as
 * lost: 40 s for Azure, a few here. `argv`: the data folder, and what is told of the emulator as JSON.
 */
const [data = '', emulator = ''] = process.argv.slice(2)
const { address, ca } = JSON.parse(emulator) as { address: string; ca: string }
const cloud = { connectTo: address, authorityConnectTo: address, ca, instanceDiscovery: false }
const { url } = await startGateway({
  database: join(data, 'keyferry.db'),
  rootKeys: await unseal(unsealing({ file: undefined, dataFolder: data, environment: {} })),
  azure: { clouds: { AzurePublicCloud: cloud }, callTimeoutMs: 8_000, settleMs: 500, recoveryMs: 9_000 },
  listen: { host: '127.0.0.1', port: 0 },
  keyPool: { 'rsa-2048': 1, 'rsa-3072': 0, 'rsa-4096': 0 },
  context: { ...systemContext, log: createLog({ level: 'warn', format: 'json' }) },
})
console.log(`answers at ${url}`)
