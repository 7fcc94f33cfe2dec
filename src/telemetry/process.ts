import { performance } from 'node:perf_hooks'
import type { Asked } from './asked.ts'

const runtime = process.versions.deno === undefined ? `node ${process.versions.node}` : `deno ${process.versions.deno}`

/** The process, under the names that Prometheus' clients give these. */
export const ofProcess: readonly Asked[] = [
  {
    name: 'keyferry_build_info',
    help: '1, with the version of the gateway and of what runs it.',
    type: 'gauge',
    labels: ['version', 'runtime'],
    read: ({ version }) => [{ labels: { version, runtime }, value: 1 }],
  },
  {
    name: 'process_cpu_seconds_total',
    help: 'CPU time of the process, user and system, all threads.',
    type: 'counter',
    read: () => {
      const { user, system } = process.cpuUsage()
      return (user + system) / 1e6
    },
  },
  {
    name: 'process_resident_memory_bytes',
    help: 'Resident memory of the process.',
    type: 'gauge',
    read: () => process.memoryUsage.rss(),
  },
  {
    name: 'process_start_time_seconds',
    help: 'When the process started, in seconds since 1970.',
    type: 'gauge',
    read: () => performance.timeOrigin / 1000,
  },
  {
    name: 'nodejs_eventloop_lag_seconds',
    help: 'How long the event loop took to come round when the metrics were asked for.',
    type: 'gauge',
    read: ({ eventLoopLag }) => eventLoopLag,
  },
]
