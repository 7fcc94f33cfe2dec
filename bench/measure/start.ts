import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Measurement } from '../measurement.ts'
import { openBao } from '../openbao.ts'
import { Client, shared } from '../support/client.ts'
import { median } from '../support/figure.ts'
import { newDataFolder, startGateway } from '../support/gateway.ts'
import { atRest, cpuMs, memoryMiB } from '../support/process-stats.ts'
import { keyferry, start } from '../support/program.ts'

/** From the start of the process to its first answer, on a data folder that is there. */
export const startToAnswer: Measurement = {
  name: 'start',
  run: async ({ quick }) => {
    const { data, token } = await newDataFolder()
    const times: number[] = []
    const cpu: number[] = []
    // The first start keeps compiled code for the next ones.
    for (let i = 0; i <= (quick ? 3 : 9); i++) {
      const port = await freePort()
      const begun = performance.now()
      const gateway = start(keyferry('serve', '--data', data, '--listen', `127.0.0.1:${port}`))
      const client = new Client(`http://127.0.0.1:${port}`, token)
      while (!(await client.send('GET', 'sys/health', undefined).catch(() => undefined))) await sleep(2)
      if (i > 0) {
        times.push(performance.now() - begun)
        cpu.push(cpuMs(gateway.pid))
      }
      client.close()
      await gateway.stop()
    }
    const note = `${Math.min(...times).toFixed(0)} to ${Math.max(...times).toFixed(0)}`
    return [
      {
        what: 'start to first answer, from source',
        value: median(times),
        unit: 'ms',
        bar: { atMost: 400 },
        openBao: openBao.start,
        note,
      },
      { what: '– its CPU time', value: median(cpu), unit: 'ms' },
    ]
  },
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** What is resident before a cloud was used, with a full pool; and after a history like that of OpenBao's figure. */
export const memory: Measurement = {
  name: 'memory',
  run: async ({ quick, driver }) => {
    // The first start after a change compiles; people see the next ones.
    await (await startGateway()).stop()
    const gateway = await startGateway()
    await atRest(gateway.pid)
    const idle = memoryMiB(gateway.pid)
    const count = quick ? 1_000 : 6_500
    for (const type of ['aes256-gcm96', 'ecdsa-p256']) {
      if (driver) {
        const path = `/v1/keymgmt/key/${type}-{i}`
        await driver.load(gateway, { method: 'POST', path, body: JSON.stringify({ type }), clients: 8, count })
        await driver.load(gateway, { path, clients: 8, count })
      } else {
        await shared(8, count, (i) => gateway.client.call('POST', `keymgmt/key/${type}-${i}`, { type }))
        await shared(8, count, (i) => gateway.client.call('GET', `keymgmt/key/${type}-${i}`))
      }
    }
    const full = memoryMiB(gateway.pid)
    await gateway.stop()
    const parts = ({ anonymous, peak }: typeof idle) =>
      `${anonymous.toFixed(0)} of it anonymous, peak ${peak.toFixed(0)}`
    return [
      {
        what: 'memory, idle, no cloud used yet',
        value: idle.resident,
        unit: 'MiB',
        bar: { atMost: 110 },
        openBao: openBao.idle,
        note: parts(idle),
      },
      {
        what: `memory after ${(2 * count).toLocaleString('en')} keys`,
        value: full.resident,
        unit: 'MiB',
        bar: { atMost: 200 },
        openBao: openBao.loaded,
        note: parts(full),
      },
    ]
  },
}
