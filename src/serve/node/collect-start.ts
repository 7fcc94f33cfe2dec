import { performance } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const lookEveryMs = 5_000
/** Of the time, what the event loop may be busy where the process counts as idle. */
const idleShare = 0.01

/**
 * The start leaves 10 MB of garbage, which V8 would keep until the heap has grown to twice its size. Collects it once, in some 40 ms,
 * when there was nothing to do for a while: compiled code goes too, which a busy gateway would have to compile again. Looks every
 * `everyMs`, and gives what calls it off.
 */
export function collectStart(everyMs = lookEveryMs): () => void {
  let before = performance.eventLoopUtilization()
  const timer = setInterval(() => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, before)
    before = now
    if (utilization > idleShare) return
    clearInterval(timer)
    collect()
  }, everyMs).unref()
  return () => clearInterval(timer)
}

/** Not by `--expose-gc` from the start: with other flags than its own, Node compiles all of itself anew, which takes 50 ms. */
function collect(): void {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as NodeJS.GCFunction
  setFlagsFromString('--no-expose-gc')
  void gc({ type: 'major', flavor: 'last-resort', execution: 'async' })
}
