import { createRequire } from 'node:module'
import { getRawAsset } from 'node:sea'
import { compileProgram } from './program.ts'

/**
 * Where the single binary begins: runs the bundled program with the compiled code that was kept when it was built. Node's own
 * `useCodeCache` keeps only what is compiled before anything runs, which is next to nothing.
 */
const text = Buffer.from(getRawAsset('main.cjs') as ArrayBuffer).toString('latin1')
const program = compileProgram(text, new Uint8Array(getRawAsset('main.cache') as ArrayBuffer))

void program.run(createRequire(process.execPath)).main(process.argv.slice(2))
