import { readFileSync } from 'node:fs'
import { CommandError, exitCodes, systemReason } from './exit-codes.ts'
import { isDeeperThan, mostLevels, openYaml } from './yaml.ts'

/** What a configuration file holds. */
export interface ConfigFile {
  /** Anything: whether it is settings is not known here. */
  tree: unknown
  /** The line, from 1, on which the setting at a path is named; of what is around it where it is not there itself. */
  lineOf(path: readonly PropertyKey[]): number
}

const maxBytes = 1024 * 1024

/**
 * Reads a configuration file: JSON or YAML, of which JSON is a part. Throws a `CommandError` (78) that names file and line when it cannot be
 * read, is neither, or gives a setting twice.
 */
export function readConfigFile(file: string): ConfigFile {
  const text = readUtf8(file)
  const tree = plainJson(text)
  if (tree === undefined) return openYaml(text, file)
  // Only to find a place in it: what parses YAML takes its time to load.
  let placed: ConfigFile | undefined
  return {
    tree,
    lineOf(path) {
      placed ??= openYaml(text, file)
      return placed.lineOf(path)
    },
  }
}

function readUtf8(file: string): string {
  let bytes: Buffer
  try {
    bytes = readFileSync(file)
  } catch (error) {
    throw new CommandError(exitCodes.config, `the configuration file ${file} cannot be read: ${systemReason(error)}`)
  }
  const fail = (problem: string) => new CommandError(exitCodes.config, `the configuration file ${file} ${problem}`)
  if (bytes.length > maxBytes) throw fail(`is larger than ${maxBytes} bytes`)
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw fail('is not text in UTF-8')
  }
  // A file that was cut off must not start a gateway without its audit log.
  if (text.trim() === '') throw fail('is empty: "{}" says that nothing is set')
  return text
}

/** The value of a JSON text in which no name comes twice and that is not too deep; undefined for anything else, which is parsed with more care. */
function plainJson(text: string): unknown {
  try {
    const tree: unknown = JSON.parse(text)
    return !isDeeperThan(mostLevels, tree) && membersIn(tree) === namesIn(text) ? tree : undefined
  } catch {
    return undefined
  }
}

function membersIn(tree: unknown): number {
  if (typeof tree !== 'object' || tree === null) return 0
  const values: unknown[] = Object.values(tree)
  return values.reduce<number>((sum, value) => sum + membersIn(value), Array.isArray(tree) ? 0 : values.length)
}

/** How many names of members a JSON text has: its strings before a colon. */
function namesIn(text: string): number {
  return text
    .matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)
    .filter(([, colon]) => colon !== undefined)
    .reduce((sum) => sum + 1, 0)
}
