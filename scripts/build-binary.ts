import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundle, repository } from './bundle.ts'

const out = join(repository, 'dist')
const binary = join(out, 'keyferry')

const work = mkdtempSync(join(tmpdir(), 'keyferry-build-'))
try {
  const main = join(work, 'main.cjs')
  const metafile = await bundle(
    { entryPoints: ['src/binary/main.ts'], outfile: main, format: 'cjs', target: 'node26', minify: process.env.MIN === '1', keepNames: process.env.MIN === '1' },
    { 'src/store/sqlite/native-binding.ts': { file: 'src/binary/native-binding.ts' } },
  )
  const node = join(work, 'node')
  copyFileSync(process.execPath, node)
  // Before, not after: strip would damage what --build-sea adds.
  execFileSync('strip', [node])
  const addon = join(repository, 'node_modules/better-sqlite3/prebuilds', `${process.platform}-${process.arch}.node`)
  writeFileSync(join(work, 'sha256'), createHash('sha256').update(readFileSync(addon)).digest('hex'))
  mkdirSync(out, { recursive: true })
  writeFileSync(
    join(work, 'sea.json'),
    JSON.stringify({
      main,
      mainFormat: 'commonjs',
      executable: node,
      output: binary,
      disableExperimentalSEAWarning: true,
      useCodeCache: true,
      execArgv: ['--disable-sigusr1'],
      execArgvExtension: 'none',
      assets: { 'better_sqlite3.node': addon, 'better_sqlite3.node.sha256': join(work, 'sha256') },
    }),
  )
  execFileSync(process.execPath, ['--build-sea', join(work, 'sea.json')], { stdio: 'inherit' })
  console.log(statSync(binary).size / 1e6, Object.keys(metafile.inputs).length)
} finally {
  rmSync(work, { recursive: true })
}
