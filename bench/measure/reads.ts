import { fileURLToPath } from 'node:url'
import { withDriver } from '../measurement.ts'
import { openBao } from '../openbao.ts'
import { temporaryFolder } from '../support/gateway.ts'
import { poolFull } from '../support/process-stats.ts'
import { startAndRead } from '../support/program.ts'

const bareRoute = fileURLToPath(new URL('../support/hono-route.ts', import.meta.url))

/** Reading a key, beside the least that a route of this make can cost; they take turns. */
export const reads = withDriver('read', async ({ quick, driver, gateway }) => {
  const ours = await gateway()
  const name = 'read'
  await ours.client.call('POST', `keymgmt/key/${name}`, { type: 'rsa-2048' })
  await poolFull(ours.pid)
  const {
    pid,
    stop,
    found: url,
  } = await startAndRead([bareRoute, temporaryFolder()], (line) => /at (\S+)/.exec(line)?.[1])
  const bare = { url, pid, token: ours.token }
  const load = { path: `/v1/keymgmt/key/${name}`, clients: 16, seconds: quick ? 2 : 8, warmSeconds: 1 }
  const turns: { ours: Cost; bare: Cost; self: Cost }[] = []
  for (let turn = 0; turn < (quick ? 1 : 3); turn++) {
    turns.push({
      ours: await driver.load(ours, load),
      bare: await driver.load(bare, load),
      self: await driver.load(ours, { ...load, path: '/v1/auth/token/lookup-self' }),
    })
  }
  await stop()
  const cost = (of: 'ours' | 'bare' | 'self') => least(turns.map((turn) => turn[of]))
  const [read, floor, self] = [cost('ours'), cost('bare'), cost('self')]
  return [
    {
      what: 'read a key, CPU a request',
      value: read.cpu,
      unit: 'ms',
      bar: { atMost: 0.04 },
      openBao: openBao.read,
      note: read.note,
    },
    { what: 'bare Hono route, CPU a request', value: floor.cpu, unit: 'ms', note: floor.note },
    { what: '– reading a key beside it', value: read.cpu / floor.cpu, unit: '×' },
    {
      what: 'token lookup-self, CPU a request',
      value: self.cpu,
      unit: 'ms',
      openBao: openBao.lookupSelf,
      note: self.note,
    },
  ]
})

interface Cost {
  rps: number
  p99_ms: number
  server_cpu_ms_per_request?: number
}

/** The run that cost least: other programs only ever add to it. */
export function least(loads: readonly Cost[]): { cpu: number; note: string } {
  const [best] = loads.toSorted((a, b) => cpuOf(a) - cpuOf(b))
  if (!best) throw new Error('nothing was measured')
  return { cpu: cpuOf(best), note: `${best.rps.toFixed(0)}/s, p99 ${best.p99_ms.toFixed(1)} ms` }
}

function cpuOf({ server_cpu_ms_per_request }: Cost): number {
  return server_cpu_ms_per_request ?? Number.NaN
}
