import { createRequire } from 'node:module'
import { getRawAsset } from 'node:sea'
import { compileProgram } from './program.ts'

/**
 * Where the single binary begins: runs the bundled program with the compiled code that was kept when it was built. Node's own
 * `useCodeCache` keeps only what is compiled before anything runs, which is next to nothing.
 */
const text = Buffer.from(getRawAsset('main.cjs') as ArrayBuffer).toString('latin1')
const program = compileProgram(text, new Uint8Array(getRawAsset('main.cache') as ArrayBuffer))

/** The start leaves 8 MB of garbage, which V8 would keep until the heap has grown to twice its size. Takes 15 ms, once. */
const tidyAfterMs = 5_000
setTimeout(
  () => void globalThis.gc?.({ type: 'major', flavor: 'last-resort', execution: 'async' }),
  tidyAfterMs,
).unref()

void program.run(createRequire(process.execPath)).main(process.argv.slice(2))
