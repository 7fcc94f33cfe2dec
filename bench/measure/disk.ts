import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Measurement } from '../measurement.ts'
import { quantile } from '../support/figure.ts'
import { temporaryFolder } from '../support/gateway.ts'

/** What a durable write waits for: a sync of 4 KiB, in ms, where the bench keeps its data folders. */
export function syncMs(): { median: number; p99: number } {
  const file = openSync(join(temporaryFolder(), 'append'), 'a')
  const block = Buffer.alloc(4096)
  const times: number[] = []
  for (let i = 0; i < 300; i++) {
    writeSync(file, block)
    const begun = performance.now()
    fdatasyncSync(file)
    times.push(performance.now() - begun)
  }
  closeSync(file)
  return { median: quantile(times, 0.5), p99: quantile(times, 0.99) }
}

/** By itself no promise of ours: it says what the durable figures of this run are worth. */
export const disk: Measurement = {
  name: 'disk',
  run: async () => {
    const { median, p99 } = syncMs()
    return [
      {
        what: 'the disk: a sync of 4 KiB, median',
        value: median,
        unit: 'ms',
        openBao: '0.12 to 0.19 ms',
        note: `p99 ${p99.toFixed(1)}`,
      },
    ]
  },
}
