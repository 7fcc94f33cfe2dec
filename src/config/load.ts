import { readFileSync } from 'node:fs'
import type * as z from 'zod'
import { oneOf } from '../core/errors.ts'
import { CommandError, exitCodes, systemReason } from './exit-codes.ts'
import { didYouMean } from './nearest.ts'
import { type Settings, settingsSchema } from './settings.ts'
import { otherVariables, serviceLink, sources } from './sources.ts'

export type Environment = Readonly<Record<string, string | undefined>>

type Tree = { [name: string]: unknown }

/**
 * The settings in force: flags before environment before the file that `--config` or KEYFERRY_CONFIG names. Throws a `CommandError`
 * that names the place, the setting and what is allowed; a setting or KEYFERRY_ variable that is not known is refused too.
 */
export function loadSettings(
  flags: Readonly<Record<string, string | boolean | undefined>>,
  environment: Environment,
): Settings {
  const file = typeof flags.config === 'string' ? flags.config : environment.KEYFERRY_CONFIG
  const layers = [
    file === undefined ? {} : check(readConfigFile(file), (path) => `${file}: ${path}`),
    check(fromEnvironment(environment), (path) => named(path)?.variable ?? path),
    check(
      pick(({ flag }) => flags[flag]),
      (path) => `--${named(path)?.flag ?? path}`,
    ),
  ]
  return layers.reduce(merge) as Settings
}

function readConfigFile(file: string): unknown {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new CommandError(exitCodes.config, `the configuration file ${file} cannot be read: ${systemReason(error)}`)
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new CommandError(exitCodes.config, `the configuration file ${file} is not JSON: ${(error as Error).message}`)
  }
}

function fromEnvironment(environment: Environment): Tree {
  const known = [...sources.map((source) => source.variable), ...otherVariables]
  for (const name of Object.keys(environment)) {
    if (!name.startsWith('KEYFERRY_') || serviceLink.test(name) || known.includes(name)) continue
    throw new CommandError(
      exitCodes.config,
      `unknown environment variable ${name}${didYouMean(name, known, (near) => near)}: known are ${oneOf(known)}`,
    )
  }
  return pick(({ variable }) => environment[variable])
}

/** A tree of the settings that `valueFor` knows. */
function pick(valueFor: (source: (typeof sources)[number]) => unknown): Tree {
  const tree: Tree = {}
  for (const source of sources) {
    const value = valueFor(source)
    if (value === undefined) continue
    const [first, second] = source.path
    if (second === undefined) tree[first] = value
    else tree[first] = { ...(tree[first] as Tree | undefined), [second]: value }
  }
  return tree
}

function named(path: string): (typeof sources)[number] | undefined {
  return sources.find((source) => source.path.join('.') === path)
}

function check(tree: unknown, place: (path: string) => string): Settings {
  const result = settingsSchema.safeParse(tree)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw new CommandError(exitCodes.config, issue ? sentence(issue, tree, place) : result.error.message)
}

function sentence(issue: z.core.$ZodIssue, tree: unknown, place: (path: string) => string): string {
  const path = issue.path.join('.')
  if (issue.code === 'unrecognized_keys') {
    const [unknown = ''] = issue.keys
    const known = settingsAt(issue.path)
    const full = [...issue.path, unknown].join('.')
    return `${place(full)} is no setting${didYouMean(unknown, known)}: known here are ${oneOf(known)}`
  }
  if (issue.code === 'invalid_value') return `${place(path)} must be ${oneOf(issue.values.map(String))}`
  if (path === '') return `${place('')}the configuration must be one JSON object of settings, not ${describe(tree)}`
  const problem = issue.message.startsWith('must ') ? issue.message : `is not allowed: ${issue.message}`
  return `${place(path)} ${problem}`
}

/** Names of the settings in one object of the schema. */
function settingsAt(path: readonly PropertyKey[]): string[] {
  let schema: unknown = settingsSchema
  for (const part of path) schema = unwrap(childOf(unwrap(schema), part))
  const shape = (schema as { shape?: Record<string, unknown> }).shape
  return Object.keys(shape ?? {})
}

function childOf(schema: unknown, part: PropertyKey): unknown {
  const { shape, valueType } = schema as { shape?: Record<PropertyKey, unknown>; valueType?: unknown }
  return shape?.[part] ?? valueType
}

function unwrap(schema: unknown): unknown {
  const optional = schema as { def?: { type?: string; innerType?: unknown } } | undefined
  return optional?.def?.type === 'optional' ? optional.def.innerType : schema
}

function describe(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`
}

/** The upper layer's settings win, one by one. */
function merge(lower: Tree, upper: Tree): Tree {
  const result: Tree = { ...lower }
  for (const [name, value] of Object.entries(upper)) {
    const below = result[name]
    result[name] = isTree(below) && isTree(value) ? merge(below, value) : value
  }
  return result
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
