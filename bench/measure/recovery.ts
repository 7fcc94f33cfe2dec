import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { recordDistributions, recover } from '../../test/commands/crash/pending.ts'
import type { Measurement } from '../measurement.ts'
import { Client } from '../support/client.ts'
import { startEmulator } from '../support/emulator.ts'
import { newDataFolder, temporaryFolder } from '../support/gateway.ts'
import { keyferry, type Program, startAndRead } from '../support/program.ts'

const operations = 1_000
/** Done before the kill. */
const before = 50
/** Several, since one takes 25 imports a second. */
const vaults = ['recovery-a', 'recovery-b', 'recovery-c', 'recovery-d']
/** An import whose answer was lost is sent again only after 40 s. */
const patienceMs = 170_000

/** A gateway is killed with much to do, and another one starts. */
export const recovery: Measurement = {
  name: 'recovery',
  run: async () => {
    const emulator = await startEmulator()
    const { data, token } = await newDataFolder()
    const config = join(temporaryFolder(), 'keyferry.json')
    writeFileSync(config, JSON.stringify(emulator.settings))
    let program: Program | undefined
    let url = ''
    const gateway = {
      start: async () => {
        const args = keyferry('serve', '--data', data, '--listen', '127.0.0.1:0', '--config', config)
        const started = await startAndRead(args, (line) => /answers at (\S+)/.exec(line)?.[1])
        program = started
        url = started.found
      },
      kill: async () => await program?.stop('SIGKILL'),
    }
    await gateway.start()
    const client = new Client(url, token)
    for (const vault of vaults) {
      await emulator.admin('POST', 'vaults', { name: vault, kind: 'premium' })
      await client.call('POST', `keymgmt/kms/${vault}`, { ...(emulator.kms as object), key_collection: vault })
      // Their key encryption keys are made before.
      await client.call('POST', `keymgmt/key/first-${vault}`, { type: 'ecdsa-p256' })
      await client.call('POST', `keymgmt/kms/${vault}/key/first-${vault}`, { purpose: 'sign', protection: 'hsm' })
    }
    client.close()
    await gateway.kill()
    const file = join(data, 'keyferry.db')
    await recordDistributions(file, join(data, 'root.key'), operations + before)
    const { pending, underWay, firstDoneMs, takenUpMs, allDoneMs } = await recover(file, gateway, patienceMs)
    await program?.stop()
    await emulator.stop()
    const bar = { atMost: 2_000 }
    const what = `recovery after kill -9, ${operations.toLocaleString('en')} operations pending`
    return [
      { what: `${what}: the first done`, value: firstDoneMs, unit: 'ms', bar, note: `${pending} pending` },
      { what: '– all taken up that was under way', value: takenUpMs, unit: 'ms', bar, note: `${underWay} copies` },
      { what: '– all done', value: allDoneMs / 1000, unit: 's' },
    ]
  },
}
