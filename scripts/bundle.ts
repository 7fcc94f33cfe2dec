import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild'
import { workerSource } from '../src/core/keys/worker-source.ts'
import { readMigrations } from '../src/store/sqlite/migration-files.ts'

export const repository = resolve(import.meta.dirname, '..')

/** What a bundle has in place of a module of `src/`: another file, or a text. */
type StandIns = Readonly<Record<string, { file: string } | { text: string }>>

/** For the modules that read files beside themselves, which a bundle does not have: what they gave here. */
export function embedded(): StandIns {
  const returning = (name: string, value: unknown) => ({
    text: `const value = ${JSON.stringify(value)}\nexport const ${name} = () => value\n`,
  })
  return {
    'src/core/keys/worker-source.ts': returning('workerSource', workerSource()),
    'src/store/sqlite/migration-files.ts': returning('readMigrations', readMigrations()),
  }
}

/**
 * Bundles sources of this repository with esbuild, for Node. Gives esbuild's account of what went in. `standIns`: by path in the
 * repository. Throws, after esbuild has printed why, when it cannot.
 */
export async function bundle(options: BuildOptions, standIns: StandIns = {}): Promise<Metafile> {
  const { metafile, warnings } = await build({
    absWorkingDir: repository,
    bundle: true,
    platform: 'node',
    metafile: true,
    legalComments: 'none',
    logLevel: 'error',
    ...options,
    plugins: [...(options.plugins ?? []), replace(standIns), plainRequire],
  })
  // `import.meta` of a package that asks whether it is there is no harm; one of ours would read a file that is not there.
  const ours = warnings.filter(({ id, location }) => id !== 'empty-import-meta' || location?.file.startsWith('src/'))
  if (ours.length > 0) throw new Error(ours.map(({ text, location }) => `${location?.file ?? ''}: ${text}`).join('\n'))
  return metafile
}

function replace(standIns: StandIns): Plugin {
  return {
    name: 'stand-ins',
    setup({ onLoad, onEnd }) {
      const unused = new Set(Object.keys(standIns))
      for (const [path, standIn] of Object.entries(standIns)) {
        onLoad({ filter: new RegExp(`^${RegExp.escape(join(repository, path))}$`) }, () => {
          unused.delete(path)
          const contents = 'text' in standIn ? standIn.text : readFileSync(join(repository, standIn.file), 'utf8')
          return { contents, loader: 'ts', resolveDir: join(repository, 'file' in standIn ? join(standIn.file, '..') : '.') }
        })
      }
      onEnd(() => (unused.size === 0 ? {} : { warnings: [{ text: `never imported: ${[...unused].join(', ')}` }] }))
    },
  }
}

/**
 * Some packages are loaded by `require` (the files say why), made from `createRequire`, which esbuild does not look into. Without that
 * line it is the `require` that esbuild knows.
 */
const plainRequire: Plugin = {
  name: 'plain-require',
  setup({ onLoad }) {
    onLoad({ filter: new RegExp(`^${RegExp.escape(join(repository, 'src'))}/.*\\.ts$`) }, ({ path }) => {
      const text = readFileSync(path, 'utf8')
      const contents = text
        .replace('const require = createRequire(import.meta.url)\n', '')
        .replace("import { z } from 'zod'", "import * as z from 'zod'")
      return contents === text ? undefined : { contents, loader: 'ts' }
    })
  },
}
