import { createRequire } from 'node:module'
import { getAsset, getRawAsset } from 'node:sea'
import { compileProgram } from './program.ts'

/**
 * Where the single binary begins: runs the bundled program with the compiled code that was kept when it was built. Node's own
 * `useCodeCache` keeps only what is compiled before anything runs, which is next to nothing.
 */
const program = compileProgram(getAsset('main.cjs', 'latin1'), new Uint8Array(getRawAsset('main.cache') as ArrayBuffer))
void program.run(createRequire(process.execPath)).main(process.argv.slice(2))
