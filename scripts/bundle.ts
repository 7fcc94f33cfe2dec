import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild'
import { workerSource } from '../src/core/keys/worker-source.ts'
import { readMigrations } from '../src/store/sqlite/migration-files.ts'

export const repository = resolve(import.meta.dirname, '..')

/** What a bundle has in place of modules of `src/`, by their paths in the repository: another file, or a text. */
export type StandIns = Readonly<Record<string, { file: string } | { text: string }>>

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

/** Bundles sources of this repository with esbuild, for Node. Gives esbuild's account of what went in. Throws when it cannot. */
export async function bundle(options: BuildOptions, standIns: StandIns = {}): Promise<Metafile> {
  const { metafile, warnings, outputFiles } = await build({
    absWorkingDir: repository,
    bundle: true,
    write: false,
    platform: 'node',
    legalComments: 'none',
    logLevel: 'error',
    ...options,
    metafile: true,
    plugins: [replace(standIns), ...(options.plugins ?? [])],
  })
  // A package that asks whether it has an `import.meta` does no harm; one of ours would look for a file that is not there.
  const ours = warnings.filter(({ id, location }) => id !== 'empty-import-meta' || location?.file.startsWith('src/'))
  if (ours.length > 0) throw new Error(ours.map(({ text, location }) => `${location?.file ?? ''}: ${text}`).join('\n'))
  for (const { path, text } of outputFiles ?? []) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, escaped(text))
  }
  return metafile
}

/** ASCII alone, as the binary reads it: esbuild escapes the rest, but in regular expressions it does not. */
function escaped(text: string): string {
  const lost = /\\[^\0-\x7f]/.exec(text)
  if (lost) throw new Error(`"${lost[0]}" cannot be written in ASCII: ${text.slice(lost.index - 40, lost.index + 40)}`)
  return text.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function replace(standIns: StandIns): Plugin {
  return {
    name: 'stand-ins',
    setup({ onLoad, onEnd }) {
      const unused = new Set(Object.keys(standIns))
      for (const [path, standIn] of Object.entries(standIns)) {
        onLoad({ filter: exactly(join(repository, path)) }, () => {
          unused.delete(path)
          if ('text' in standIn) return { contents: standIn.text, loader: 'ts' }
          const file = join(repository, standIn.file)
          return { contents: readFileSync(file, 'utf8'), loader: 'ts', resolveDir: join(file, '..') }
        })
      }
      onEnd(() => (unused.size === 0 ? {} : { warnings: [{ text: `never imported: ${[...unused].join(', ')}` }] }))
    },
  }
}

/**
 * Two ways of importing that suit Node and not esbuild. Some packages are loaded by a `require` made from `createRequire` (the files
 * say why), which esbuild does not look into: without that line it is the `require` that esbuild knows. And `{ z }` of zod is an object
 * with everything in it, all its languages too; as a namespace it is only what is used.
 */
export const plainImports: Plugin = {
  name: 'plain-imports',
  setup({ onLoad }) {
    onLoad({ filter: new RegExp(`^${RegExp.escape(join(repository, 'src'))}/.*\\.ts$`) }, ({ path }) => {
      const contents = readFileSync(path, 'utf8')
        .replace('const require = createRequire(import.meta.url)\n', '')
        .replace("import { z } from 'zod'", "import * as z from 'zod'")
      return { contents, loader: 'ts' }
    })
  },
}

function exactly(path: string): RegExp {
  return new RegExp(`^${RegExp.escape(path)}$`)
}
