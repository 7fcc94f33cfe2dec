import { join } from 'node:path'
import { withDriver } from '../measurement.ts'
import { shared } from '../support/client.ts'
import type { Load } from '../support/driver.ts'
import { type Gateway, startGateway, temporaryFolder } from '../support/gateway.ts'
import { poolFull } from '../support/process-stats.ts'
import { least } from './reads.ts'

/** Without the audit log, and with it. */
interface Turn {
  read: [Load, Load]
  list: [Load, Load]
}

/** What the audit log adds to a read and to a list of a thousand: a gateway that records into a file beside one that does not. */
export const audit = withDriver('audit', async ({ quick, driver }) => {
  const silent = await startGateway()
  const audited = await startGateway({
    audit: { file: join(temporaryFolder(), 'audit.log'), elideListResponses: true },
  })
  const both = [silent, audited] as const
  for (const gateway of both) {
    const create = (name: string) => gateway.client.call('POST', `keymgmt/key/${name}`, { type: 'aes256-gcm96' })
    await shared(16, 1_000, (i) => create(`key-${i}`))
    await poolFull(gateway.pid)
  }
  const load = (gateway: Gateway, path: string) =>
    driver.load(gateway, { path, clients: 16, seconds: quick ? 2 : 6, warmSeconds: 1 })
  const paths = { read: '/v1/keymgmt/key/key-1', list: '/v1/keymgmt/key?list=true' }
  const turns: Turn[] = []
  for (let turn = 0; turn < (quick ? 1 : 3); turn++) {
    turns.push({
      read: [await load(silent, paths.read), await load(audited, paths.read)],
      list: [await load(silent, paths.list), await load(audited, paths.list)],
    })
  }
  for (const gateway of both) await gateway.stop()
  const figure = (what: string, of: 'read' | 'list') => {
    const [without, withIt] = [least(turns.map((turn) => turn[of][0])), least(turns.map((turn) => turn[of][1]))]
    return {
      what,
      value: withIt.cpu - without.cpu,
      unit: 'ms',
      bar: { atMost: 0.05 },
      openBao: of === 'read' ? '0.10 ms' : '1.9 ms',
      note: `${withIt.cpu.toFixed(3)} and ${without.cpu.toFixed(3)} ms`,
    }
  }
  return [figure('audit adds to a read, CPU', 'read'), figure('audit adds to a list of 1,000, elided, CPU', 'list')]
})
