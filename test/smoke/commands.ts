import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import process from 'node:process'

export const repository = resolve(import.meta.dirname, '../..')

/** Keyferry from source, on Node, as the first line of the launcher has it. */
export const onNode = [
  process.execPath,
  '--max-semi-space-size=2',
  '--v8-pool-size=1',
  '--',
  join(repository, 'bin/keyferry.mjs'),
]

/** The single binary that `npm run build:binary` makes. */
export const binary = join(repository, 'dist/keyferry')

/** Keyferry from source, on Deno: what `deno task start` runs, with the very permissions that it names, but for the command `dev`. */
export function onDeno(deno: string): string[] {
  const { tasks } = JSON.parse(readFileSync(join(repository, 'deno.json'), 'utf8')) as { tasks: { start: string } }
  const [program, ...args] = tasks.start.split(' ')
  if (program !== 'deno' || args.at(-1) !== 'dev') throw new Error('"deno task start" is not "deno … dev"')
  return [deno, ...args.slice(0, -1)]
}

/** The program of the npm package `deno`; what npm puts into the PATH is a Node script around it, which passes no signals on. */
export function denoProgram(): string {
  const { platform, arch } = process
  const name = `@deno/${platform}-${arch}${platform === 'linux' ? '-glibc' : ''}`
  return join(createRequire(import.meta.url).resolve(`${name}/package.json`), '../deno')
}
