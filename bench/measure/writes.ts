import { withDriver } from '../measurement.ts'
import { openBao } from '../openbao.ts'
import type { Load } from '../support/driver.ts'
import { poolFull } from '../support/process-stats.ts'
import { syncMs } from './disk.ts'

const key = '/v1/keymgmt/key/life{tag}-{i}'
const steps = [
  { name: '1-create', method: 'POST', path: key, body: '{"type":"ecdsa-p256"}' },
  { name: '2-read', method: 'GET', path: key },
  { name: '3-rotate', method: 'POST', path: `${key}/rotate`, body: '{}' },
  { name: '4-update', method: 'POST', path: key, body: '{"deletion_allowed":true}' },
  { name: '5-delete', method: 'DELETE', path: key },
]

/** Durable: each of the four writes is on the disk before it is answered. */
export const lifecycle = withDriver('lifecycle', async ({ quick, driver, gateway: shared }) => {
  const gateway = await shared()
  await poolFull(gateway.pid)
  await driver.sequences(gateway, steps, { clients: 8, count: 300 })
  const runs: Load[] = []
  for (let run = 0; run < (quick ? 1 : 3); run++)
    runs.push(await driver.sequences(gateway, steps, { clients: 8, count: quick ? 1_000 : 3_000 }))
  const cpu = Math.min(...runs.map((run) => run.server_cpu_ms_per_request ?? Number.NaN))
  const rates = runs.map((run) => run.rps)
  return [
    {
      what: 'create, read, rotate, update, delete P-256',
      value: Math.max(...rates),
      unit: '/s',
      bar: { atLeast: 700 },
      openBao: openBao.lifecycle,
      note: `${rates.map((rate) => rate.toFixed(0)).join(', ')}; a sync took ${syncMs().median.toFixed(2)} ms`,
    },
    { what: '– CPU a sequence', value: cpu, unit: 'ms', openBao: openBao.lifecycleCpu },
  ]
})
