/**
 * Measures what docs/performance.md promises, on this machine and now: `npm run bench -- [--quick] [--only REGEX] [--json FILE]`. It prints
 * and never fails on a figure: other programs on the machine change those of a clock.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { audit } from './measure/audit.ts'
import { disk } from './measure/disk.ts'
import { distribution } from './measure/distribution.ts'
import { lists, longList } from './measure/lists.ts'
import { access, generator } from './measure/parts.ts'
import { reads } from './measure/reads.ts'
import { recovery } from './measure/recovery.ts'
import { burst, readsBeside, sustained } from './measure/rsa.ts'
import { memory, startToAnswer } from './measure/start.ts'
import { wrapping } from './measure/wrapping.ts'
import { lifecycle } from './measure/writes.ts'
import type { Measurement } from './measurement.ts'
import { Driver } from './support/driver.ts'
import { type Figure, table, verdict } from './support/figure.ts'
import { type Gateway, startGateway } from './support/gateway.ts'

const measurements: readonly Measurement[] = [
  disk,
  startToAnswer,
  memory,
  reads,
  lists,
  longList,
  lifecycle,
  burst,
  sustained,
  readsBeside,
  generator,
  access,
  audit,
  wrapping,
  distribution,
  recovery,
]

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '.' },
    json: { type: 'string' },
  },
})
const only = new RegExp(values.only)
const chosen = measurements.filter(({ name }) => only.test(name))
if (chosen.length === 0) {
  console.error(`--only ${values.only} matches nothing: there are ${measurements.map(({ name }) => name).join(', ')}`)
  process.exit(64)
}
if (!existsSync('/proc/self/stat')) {
  console.error('The bench reads CPU time and memory of processes from /proc: it needs Linux.')
  process.exit(69)
}

// So that servers and folders are gone when the bench is broken off.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

const busy = () =>
  loadavg()
    .map((load) => load.toFixed(1))
    .join(', ')
console.log(
  `${availableParallelism()} cores (${cpus()[0]?.model.trim()}), Node ${process.version}, load average before ${busy()}\n`,
)
const driver = Driver.build()
if (!driver) console.log('Go is not installed: what needs the load driver (bench/load) is left out.\n')

let shared: Promise<Gateway> | undefined
const bench = {
  quick: values.quick,
  driver,
  gateway: () => {
    shared ??= startGateway()
    return shared
  },
}
const figures: Figure[] = []
for (const { name, run } of chosen) {
  process.stderr.write(`${name} …\n`)
  try {
    figures.push(...(await run(bench)))
  } catch (error) {
    console.error(error)
    process.exitCode = 1
    figures.push({ what: name, value: undefined, unit: '', note: 'failed, see above' })
  }
}
await (await shared)?.stop()

console.log(table(figures))
console.log(`
OpenBao's are constants, from a machine of the same kind (bench/openbao.ts says which). Load average after ${busy()}: judge by
CPU time and ratios where it says that others were at work; figures of a clock are then too high.`)
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(figures, null, 2)}\n`)
const over = figures.filter((figure) => verdict(figure) === 'over')
if (over.length > 0) console.log(`\nOver the bar: ${over.map(({ what }) => what).join('; ')}.`)
