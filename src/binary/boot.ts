import { createRequire } from 'node:module'
import { getRawAsset } from 'node:sea'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { compileProgram } from './program.ts'

/**
 * Where the single binary begins: runs the bundled program with the compiled code that was kept when it was built. Node's own
 * `useCodeCache` keeps only what is compiled before anything runs, which is next to nothing.
 */
const text = Buffer.from(getRawAsset('main.cjs') as ArrayBuffer).toString('latin1')
const program = compileProgram(text, new Uint8Array(getRawAsset('main.cache') as ArrayBuffer))

/**
 * The start leaves 8 MB of garbage, which V8 would keep until the heap has grown to twice its size. Collected once, in some 15 ms, when
 * there was nothing to do for a while: compiled code goes too, which a busy gateway would have to compile again.
 */
const lookEveryMs = 5_000
const idleShare = 0.01
let before = performance.eventLoopUtilization()
const timer = setInterval(() => {
  const now = performance.eventLoopUtilization()
  const { utilization } = performance.eventLoopUtilization(now, before)
  before = now
  if (utilization > idleShare) return
  clearInterval(timer)
  tidy()
}, lookEveryMs).unref()

/** Not by `--expose-gc` from the start: with other flags than its own, Node compiles all of itself anew, which takes 50 ms. */
function tidy(): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as NodeJS.GCFunction
  setFlagsFromString('--no-expose-gc')
  void collect({ type: 'major', flavor: 'last-resort', execution: 'async' })
}

void program.run(createRequire(process.execPath)).main(process.argv.slice(2))
