import { oneOf } from '../core/errors.ts'
import { CommandError, exitCodeOf, exitCodes } from './exit-codes.ts'
import { readConfigFile } from './file.ts'
import { didYouMean } from './nearest.ts'
import { checkTree, type Problem } from './problems.ts'
import { type Settings, settingsSchema } from './settings.ts'
import { otherVariables, type Source, serviceLink, sources } from './sources.ts'
import { merge, type Tree, valueAt, withValue } from './tree.ts'

export type Environment = Readonly<Record<string, string | undefined>>
export type Flags = Readonly<Record<string, string | boolean | undefined>>

/** Settings of one kind of place. */
interface Layer {
  tree: unknown
  /** Names a setting as it was written there, for the beginning of a sentence. */
  name(path: readonly PropertyKey[]): string
  /** Where in that place a setting is: `--listen`, `KEYFERRY_LISTEN`, `keyferry.yaml:3`. */
  at(path: readonly PropertyKey[]): string
  /** The line of a setting, for problems to be told in their order. */
  lineOf?(path: readonly PropertyKey[]): number
}

export interface Loaded {
  /** What is in force; settings with problems are as if they had not been given. */
  settings: Settings
  problems: Problem[]
  /** Where a setting is said; undefined where it is nowhere, and has its default. */
  originOf(path: readonly string[]): string | undefined
  /** `FILE:LINE: NAME` of a setting that the file says and nothing above it, for the beginning of a sentence. */
  placeOf(path: readonly string[]): string | undefined
}

/**
 * The settings in force: flags before environment before the file that `--config` or KEYFERRY_CONFIG names. Throws a `CommandError` (78)
 * that names the place, the setting and what is allowed; a setting or KEYFERRY_ variable that is not known is refused too.
 */
export function loadSettings(flags: Flags, environment: Environment): Settings {
  return inForce(flags, environment).settings
}

/** The same with where each setting was said. */
export function inForce(flags: Flags, environment: Environment): Loaded {
  const loaded = readSettings(flags, environment)
  const [first, ...others] = loaded.problems.map(({ sentence }) => new CommandError(exitCodes.config, sentence))
  if (first) throw firstOf(first, others)
  return loaded
}

/** What stops a command of several errors: the first, which says that there are more. */
export function firstOf(first: Error, others: readonly Error[]): Error {
  if (others.length === 0) return first
  const more = `(and ${others.length} more: "keyferry config check" tells all)`
  return new CommandError(exitCodeOf(first), `${first.message} ${more}`, { cause: first })
}

/** The settings with all that is wrong with them. Throws a `CommandError` (78) only where the file cannot be read or parsed. */
export function readSettings(flags: Flags, environment: Environment): Loaded {
  const file = typeof flags.config === 'string' ? flags.config : environment.KEYFERRY_CONFIG
  const layers = [
    ...(file === undefined ? [] : [fileLayer(file)]),
    sourceLayer(
      ({ variable }) => environment[variable],
      ({ variable }) => variable,
    ),
    sourceLayer(
      ({ flag }) => flags[flag],
      ({ flag }) => `--${flag}`,
    ),
  ]
  const sayer = (path: readonly string[]) => layers.findLast(({ tree }) => valueAt(tree, path) !== undefined)
  const checked = layers.map(({ tree, name, lineOf = () => 0 }) => {
    const { good, problems } = checkTree(tree, name)
    return { good, problems: problems.sort((one, other) => lineOf(one.path) - lineOf(other.path)) }
  })
  return {
    settings: settingsSchema.parse(checked.map(({ good }) => good).reduce(merge)),
    problems: [...unknownVariables(environment), ...checked.flatMap(({ problems }) => problems)],
    originOf: (path) => sayer(path)?.at(path),
    placeOf(path) {
      const layer = sayer(path)
      return layer?.lineOf && layer.name(path)
    },
  }
}

function fileLayer(file: string): Layer {
  const { tree, lineOf } = readConfigFile(file)
  const at = (path: readonly PropertyKey[]) => `${file}:${lineOf(path)}`
  return { tree, at, lineOf, name: (path) => `${at(path)}: ${path.join('.')}` }
}

function sourceLayer(said: (source: Source) => unknown, nameOf: (source: Source) => string): Layer {
  const name = (path: readonly PropertyKey[]) => {
    const source = sources.find((one) => one.path.join('.') === path.join('.'))
    return source ? nameOf(source) : path.join('.')
  }
  const tree = sources.reduce<Tree>((rest, source) => {
    const value = said(source)
    return value === undefined ? rest : withValue(rest, source.path, value)
  }, {})
  return { tree, name, at: name }
}

function unknownVariables(environment: Environment): Problem[] {
  const known = [...sources.map(({ variable }) => variable), ...otherVariables]
  const unknown = Object.keys(environment).filter(
    (name) => name.startsWith('KEYFERRY_') && !serviceLink.test(name) && !known.includes(name),
  )
  return unknown.map((name) => {
    const near = didYouMean(name, known, (one) => one)
    return { path: [], sentence: `unknown environment variable ${name}${near}: known are ${oneOf(known)}` }
  })
}
