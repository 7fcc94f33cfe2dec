import { type Measurement, withDriver } from '../measurement.ts'
import { openBao } from '../openbao.ts'
import { shared, timed } from '../support/client.ts'
import { median, quantile } from '../support/figure.ts'
import type { Gateway } from '../support/gateway.ts'
import { poolFull } from '../support/process-stats.ts'
import { least } from './reads.ts'

async function mountWith(gateway: Gateway, mount: string, keys: number): Promise<void> {
  await gateway.client.call('POST', `sys/mounts/${mount}`, { type: 'keymgmt' })
  await shared(32, keys, (i) => gateway.client.call('POST', `${mount}/key/key-${i}`, { type: 'aes256-gcm96' }))
}

/** Lists of a thousand names that nothing changes; and the verb LIST beside GET, where the answer is short and the verb weighs most. */
export const lists = withDriver('list', async ({ quick, driver, gateway: shared }) => {
  const gateway = await shared()
  await mountWith(gateway, 'list1000', 1_000)
  await mountWith(gateway, 'list10', 10)
  await poolFull(gateway.pid)
  const load = { clients: 16, seconds: quick ? 2 : 8, warmSeconds: 1 }
  const get = (mount: string) => driver.load(gateway, { ...load, path: `/v1/${mount}/key?list=true` })
  const verb = (mount: string) => driver.load(gateway, { ...load, method: 'LIST', path: `/v1/${mount}/key` })
  const turns = []
  for (let turn = 0; turn < (quick ? 1 : 3); turn++) {
    turns.push({
      get: await get('list1000'),
      shortGet: await get('list10'),
      shortVerb: await verb('list10'),
      verb: await verb('list1000'),
    })
  }
  const long = least(turns.map((turn) => turn.get))
  const longVerb = least(turns.map((turn) => turn.verb))
  const short = least(turns.map((turn) => turn.shortGet))
  const shortVerb = least(turns.map((turn) => turn.shortVerb))
  return [
    {
      what: 'list 1,000 keys, CPU a request',
      value: long.cpu,
      unit: 'ms',
      bar: { atMost: 0.05 },
      openBao: openBao.list1000,
      note: long.note,
    },
    {
      what: 'verb LIST beside GET, 10 names, CPU',
      value: shortVerb.cpu / short.cpu,
      unit: '×',
      bar: { atMost: 1.5 },
      note: `${shortVerb.cpu} and ${short.cpu} ms`,
    },
    {
      what: 'verb LIST beside GET, 1,000 names, CPU',
      value: longVerb.cpu / long.cpu,
      unit: '×',
      bar: { atMost: 1.5 },
      note: `${longVerb.cpu} and ${long.cpu} ms`,
    },
  ]
})

/** A list that was just changed, so that nothing remembered answers it. */
export const longList: Measurement = {
  name: 'long-list',
  run: async ({ quick, gateway: shared }) => {
    const gateway = await shared()
    await mountWith(gateway, 'list10000', 10_000)
    const times: number[] = []
    for (let i = 0; i < (quick ? 20 : 100); i++) {
      await gateway.client.call('POST', `list10000/key/more-${i}`, { type: 'aes256-gcm96' })
      times.push(await timed(() => gateway.client.send('GET', 'list10000/key?list=true', undefined)))
    }
    const note = `median ${median(times).toFixed(1)}`
    return [
      {
        what: 'list 10,000 names, just changed, p99',
        value: quantile(times, 0.99),
        unit: 'ms',
        bar: { atMost: 20 },
        note,
      },
    ]
  },
}
