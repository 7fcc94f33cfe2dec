import type { Measurement } from '../measurement.ts'
import { shared, timed } from '../support/client.ts'
import { startEmulator } from '../support/emulator.ts'
import { startGateway } from '../support/gateway.ts'

const versions = 100
const answerMs = 100

/** A key with a hundred versions to a vault that takes 100 ms for every answer, over a KMS that was used before. */
export const distribution: Measurement = {
  name: 'distribution',
  run: async ({ quick }) => {
    const emulator = await startEmulator()
    const gateway = await startGateway(emulator.settings)
    const { client } = gateway
    await client.call('POST', 'keymgmt/kms/bench', emulator.kms)
    const distribute = (key: string) =>
      client.call('POST', `keymgmt/kms/bench/key/${key}`, { purpose: 'encrypt,decrypt', protection: 'hsm' })
    await client.call('POST', 'keymgmt/key/first', { type: 'rsa-2048' })
    await distribute('first')
    for (const operation of [undefined, 'challenge']) {
      await emulator.admin('POST', 'faults', {
        match: { ...(operation && { operation }) },
        action: { delayMs: answerMs },
      })
    }
    const times: number[] = []
    for (let i = 0; i < (quick ? 1 : 3); i++) {
      const key = `old-${i}`
      await client.call('POST', `keymgmt/key/${key}`, { type: 'rsa-2048' })
      await shared(8, versions - 1, () => client.call('POST', `keymgmt/key/${key}/rotate`))
      times.push(await timed(() => distribute(key)))
      const copy = (await client.call('GET', `keymgmt/kms/bench/key/${key}`)) as { versions: object; state?: string }
      if (Object.keys(copy.versions).length !== versions || copy.state !== undefined) {
        throw new Error(`not all versions arrived: ${JSON.stringify(copy)}`)
      }
    }
    await gateway.stop()
    await emulator.stop()
    return [
      {
        what: `distribute ${versions} versions, ${answerMs} ms an answer`,
        value: Math.min(...times) / 1000,
        unit: 's',
        bar: { atMost: 3 },
        note: times.map((time) => (time / 1000).toFixed(2)).join(', '),
      },
    ]
  },
}
