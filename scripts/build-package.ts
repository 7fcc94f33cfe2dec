/**
 * What `npm pack` puts into the package: the sources as JavaScript in dist/npm/, the command and the emulator as a library, and the
 * library's types. Other packages stay what they are, and come with the installation.
 */
import { execFileSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundle, embedded, repository } from './bundle.ts'

const out = join(repository, 'dist/npm')
const types = join(out, 'types')
rmSync(out, { recursive: true, force: true })
await bundle(
  {
    entryPoints: { main: 'src/main.ts', emulator: 'src/emulator/azurekeyvault/index.ts' },
    outdir: out,
    format: 'esm',
    target: 'node24',
    packages: 'external',
    splitting: true,
    chunkNames: 'parts/[name]-[hash]',
  },
  embedded(),
)

const work = mkdtempSync(join(tmpdir(), 'keyferry-types-'))
try {
  const config = {
    extends: join(repository, 'tsconfig.json'),
    compilerOptions: {
      noEmit: false,
      declaration: true,
      emitDeclarationOnly: true,
      rootDir: join(repository, 'src'),
      outDir: types,
      typeRoots: [join(repository, 'node_modules/@types')],
    },
    include: [],
    files: [join(repository, 'src/emulator/azurekeyvault/index.ts')],
  }
  writeFileSync(join(work, 'tsconfig.json'), JSON.stringify(config))
  execFileSync(join(repository, 'node_modules/.bin/tsc'), ['-p', work], { stdio: 'inherit' })
} finally {
  rmSync(work, { recursive: true })
}
// Beside a .d.ts file, TypeScript looks for .js and not for .ts.
for (const name of globSync('**/*.d.ts', { cwd: types })) {
  const file = join(types, name)
  writeFileSync(file, readFileSync(file, 'utf8').replace(/((?:from|import\()\s*'\.[^']*)\.ts'/g, "$1.js'"))
}
