import { createRequire } from 'node:module'
import { getRawAsset } from 'node:sea'
import { compileProgram } from './program.ts'
import { isRare, type RarePackages } from './rare-packages.ts'

/**
 * Where the single binary begins: runs the bundled program with the compiled code that was kept when it was built. Node's own
 * `useCodeCache` keeps only what is compiled before anything runs, which is next to nothing.
 */
const asset = (name: string) => getRawAsset(name) as ArrayBuffer
const text = (name: string) => Buffer.from(asset(name)).toString('latin1')
const node = createRequire(process.execPath)

let rare: RarePackages | undefined
const required = (name: string) => {
  if (!isRare(name)) return node(name)
  rare ??= compileProgram<RarePackages>(text('rare.cjs')).run(node)
  return rare[name]()
}

const program = compileProgram<typeof import('../main.ts')>(text('main.cjs'), new Uint8Array(asset('main.cache')))
void program.run(required).main(process.argv.slice(2))
