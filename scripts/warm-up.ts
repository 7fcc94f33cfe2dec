import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compileProgram } from '../src/binary/program.ts'

/**
 * `node scripts/warm-up.ts TEXT ADDON COMPILED`: has the bundle TEXT start a gateway, and writes the code that was compiled on the way
 * to COMPILED. No more than the start: code for all that may come later (the Azure SDK, the emulator) would have to be read at each
 * start, which takes 50 ms and 10 MB. A process of its own, since nothing else may be in it and it ends in the middle.
 */
const [, , textFile = '', addonFile = '', compiledFile = ''] = process.argv

/** Stands in for `node:sea`, which works only in the binary. */
const addon = readFileSync(addonFile)
const sea = {
  getAsset: () => createHash('sha256').update(addon).digest('hex'),
  getRawAsset: () => new Uint8Array(addon).buffer,
}
const require = createRequire(import.meta.url)
const program = compileProgram<typeof import('../src/main.ts')>(readFileSync(textFile, 'latin1'))
const { main } = program.run((name) => (name === 'node:sea' ? sea : require(name)))

const folder = mkdtempSync(join(tmpdir(), 'keyferry-warm-up-'))
try {
  const data = join(folder, 'data')
  await main(['init', '--data', data, '--format', 'json'])
  const served = heard(/answers at (\S+)/)
  void main(['serve', '--data', data, '--listen', '127.0.0.1:0', '--log-level', 'error'])
  const [, url = ''] = await served
  for (let count = 0; count < 3; count++) await fetch(`${url}/v1/sys/health`)
  writeFileSync(compiledFile, program.compiledCode())
} finally {
  rmSync(folder, { recursive: true })
}
process.exit()

/** Resolves with what matched once the program has said it on standard output. */
function heard(pattern: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve) => {
    const { log } = console
    console.log = (...words: unknown[]) => {
      const match = pattern.exec(words.join(' '))
      if (!match) return
      console.log = log
      resolve(match)
    }
  })
}
