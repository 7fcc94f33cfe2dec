import { bareRun, keys, type Run } from '../keygen.ts'
import { type Measurement, withDriver } from '../measurement.ts'
import { openBao } from '../openbao.ts'
import { shared } from '../support/client.ts'
import { quantile } from '../support/figure.ts'
import { cpuMs, poolFull } from '../support/process-stats.ts'

/** More than the pool holds. */
const drain = 48
let names = 0
const newName = () => `rsa-${names++}`

/** Over HTTP, once the pool is drained, beside two threads that only generate; the two take turns. */
export const sustained: Measurement = {
  name: 'rsa-sustained',
  run: async ({ quick, gateway: sharedGateway }) => {
    const { client, pid } = await sharedGateway()
    const create = () => client.call('POST', `keymgmt/key/${newName()}`, { type: 'rsa-2048' })
    const bare: Run[] = []
    const ours: Run[] = []
    const waits: number[] = []
    for (let round = 0; round < (quick ? 1 : 2); round++) {
      bare.push(await bareRun())
      await poolFull(pid)
      await shared(8, drain, create)
      const [begun, cpu] = [performance.now(), cpuMs(pid)]
      waits.push(...(await shared(8, keys, create)))
      ours.push({ wallMs: performance.now() - begun, cpuMs: cpuMs(pid) - cpu })
    }
    const mean = (runs: Run[], of: keyof Run) => runs.reduce((sum, run) => sum + run[of], 0) / runs.length
    const rate = (runs: Run[]) => (keys * 1000) / mean(runs, 'wallMs')
    return [
      {
        what: 'create rsa-2048 beside two bare threads',
        value: rate(ours) / rate(bare),
        unit: '×',
        bar: { atLeast: 0.95 },
        note: `${rate(ours).toFixed(1)} and ${rate(bare).toFixed(1)}/s`,
      },
      { what: '– keys a second', value: rate(ours), unit: '/s', openBao: openBao.createRsa2048 },
      {
        what: '– CPU a key',
        value: mean(ours, 'cpuMs') / keys,
        unit: 'ms',
        openBao: openBao.createRsa2048Cpu,
        note: `bare threads ${(mean(bare, 'cpuMs') / keys).toFixed(1)}`,
      },
      { what: '– p99 of 8 clients', value: quantile(waits, 0.99), unit: 'ms', openBao: openBao.createRsa2048P99 },
    ]
  },
}

/** Sixteen at once on new connections, from a full pool of the usual size, again and again; in a process that has served writes before. */
export const burst = withDriver('rsa-burst', async ({ quick, driver, gateway: sharedGateway }) => {
  const gateway = await sharedGateway()
  const create = (type: string, clients: number, count: number) =>
    driver.load(gateway, {
      method: 'POST',
      path: `/v1/keymgmt/key/${newName()}-{i}`,
      body: JSON.stringify({ type }),
      clients,
      count,
    })
  const warm = 1_000
  await create('aes256-gcm96', 8, warm)
  const slowest: number[] = []
  const medians: number[] = []
  for (let i = 0; i < (quick ? 5 : 25); i++) {
    await poolFull(gateway.pid)
    const { p50_ms, max_ms } = await create('rsa-2048', 16, 16)
    slowest.push(max_ms)
    medians.push(p50_ms)
  }
  return [
    {
      what: 'a burst of 16 rsa-2048, its slowest (p99)',
      value: quantile(slowest, 0.5),
      unit: 'ms',
      bar: { atMost: 10 },
      openBao: openBao.createRsa2048P99,
      note: `median of ${slowest.length} bursts; worst ${Math.max(...slowest).toFixed(1)}, middle request ${quantile(medians, 0.5).toFixed(1)}`,
    },
  ]
})

/** What a reader sees while eight clients make rsa-4096 one after the other. */
export const readsBeside = withDriver('rsa-reads', async ({ quick, driver, gateway: sharedGateway }) => {
  const gateway = await sharedGateway()
  const name = newName()
  await gateway.client.call('POST', `keymgmt/key/${name}`, { type: 'rsa-2048' })
  let reading = true
  const create = async () => {
    while (reading) await gateway.client.call('POST', `keymgmt/key/${newName()}`, { type: 'rsa-4096' })
  }
  const creating = Promise.all(Array.from({ length: 8 }, create))
  const read = await driver.load(gateway, {
    path: `/v1/keymgmt/key/${name}`,
    clients: 4,
    seconds: quick ? 4 : 16,
    warmSeconds: 4,
  })
  reading = false
  await creating
  return [
    {
      what: 'reads while 8 clients create rsa-4096, p99',
      value: read.p99_ms,
      unit: 'ms',
      bar: { atMost: 20 },
      note: `median ${read.p50_ms.toFixed(2)}, ${read.rps.toFixed(0)}/s`,
    },
  ]
})
