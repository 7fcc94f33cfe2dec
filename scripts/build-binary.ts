/**
 * `npm run build:binary`: makes dist/keyferry, one file with Node, the bundled sources and all that they need, with its SHA-256, a bill
 * of materials (CycloneDX) and the licences of what is inside. On Linux, with glibc and binutils' `strip`.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { frame } from '../src/binary/program.ts'
import { rarePackages, rarePackagesSource } from '../src/binary/rare-packages.ts'
import { billOfMaterials, licencesOf, partsOf } from './bill-of-materials.ts'
import { bundle, embedded, plainImports, repository } from './bundle.ts'

/** V8's flags are the same when code is compiled and when it is run, or the one does not fit the other. bin/keyferry.mjs has this one too. */
const v8Flags = ['--max-semi-space-size=2']
/** One thread for V8's own work, as in bin/keyferry.mjs; without a debugger that a signal opens. */
const nodeFlags = ['--v8-pool-size=1', '--disable-sigusr1']

const out = join(repository, 'dist')
const addon = join(repository, 'node_modules/better-sqlite3/prebuilds', `${process.platform}-${process.arch}.node`)
const work = mkdtempSync(join(tmpdir(), 'keyferry-build-'))
const at = (name: string) => join(work, name)

try {
  if (process.platform !== 'linux') throw new Error('the binary is made on Linux only')
  // Identifiers stay, for the log's sake; with esbuild's `keepNames` instead, each function that is made costs a call.
  const small = { format: 'cjs', target: 'node26', minifyWhitespace: true, minifySyntax: true, lineLimit: 160 } as const
  const [before, after] = frame
  const program = { ...small, banner: { js: before }, footer: { js: after } }
  const main = await bundle(
    {
      ...program,
      entryPoints: ['src/main.ts'],
      plugins: [plainImports],
      external: [...rarePackages],
      // So that "import()" of those is a "require" as well.
      supported: { 'dynamic-import': false },
      outfile: at('main.cjs'),
    },
    { ...embedded(), 'src/store/sqlite/native-binding.ts': { file: 'src/binary/native-binding.ts' } },
  )
  const rare = await bundle({
    ...program,
    stdin: { contents: rarePackagesSource(), resolveDir: repository },
    outfile: at('rare.cjs'),
  })
  await bundle({ ...small, entryPoints: ['src/binary/boot.ts'], outfile: at('boot.cjs') })

  copyFileSync(process.execPath, at('node'))
  // Before and not after: it would damage what Node adds.
  const stripped = spawnSync('strip', [at('node')], { stdio: 'inherit' })
  if (stripped.status !== 0) throw new Error('"strip" of binutils is needed, and failed or is not there')

  execFileSync(
    at('node'),
    [...v8Flags, join(repository, 'scripts/warm-up.ts'), at('main.cjs'), addon, at('main.cache')],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
      cwd: work,
    },
  )
  writeFileSync(at('addon.sha256'), sha256(addon))
  const sea = {
    main: at('boot.cjs'),
    executable: at('node'),
    output: at('keyferry'),
    disableExperimentalSEAWarning: true,
    // The "--" keeps Node from taking --env-file of the command line for itself.
    execArgv: [...v8Flags, ...nodeFlags, '--'],
    // NODE_OPTIONS of the environment could load other code into the process.
    execArgvExtension: 'none',
    assets: {
      'main.cjs': at('main.cjs'),
      'main.cache': at('main.cache'),
      'rare.cjs': at('rare.cjs'),
      'better_sqlite3.node': addon,
      'better_sqlite3.node.sha256': at('addon.sha256'),
    },
  }
  writeFileSync(at('sea.json'), JSON.stringify(sea))
  execFileSync(at('node'), ['--build-sea', at('sea.json')], { stdio: ['ignore', 'ignore', 'inherit'] })

  mkdirSync(out, { recursive: true })
  const binary = join(out, 'keyferry')
  copyFileSync(at('keyferry'), `${binary}.new`)
  renameSync(`${binary}.new`, binary)
  const digest = sha256(binary)
  const parts = partsOf([main, rare])
  writeFileSync(`${binary}.sha256`, `${digest}  keyferry\n`)
  writeFileSync(`${binary}.cdx.json`, `${JSON.stringify(billOfMaterials(parts, digest), null, 2)}\n`)
  writeFileSync(`${binary}.licences.txt`, licencesOf(parts))
  const size = (statSync(binary).size / 1e6).toFixed(1)
  console.log(`dist/keyferry: ${size} MB, ${parts.length} parts, SHA-256 ${digest}`)
} finally {
  rmSync(work, { recursive: true })
}

function sha256(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}
