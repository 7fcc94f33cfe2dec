import { createRequire } from 'node:module'
import type { Document, YAMLError } from 'yaml'
import { CommandError, exitCodes } from './exit-codes.ts'
import type { ConfigFile } from './file.ts'

const require = createRequire(import.meta.url)

/** How often one anchor's content may be repeated in all: enough for people, too little to fill the memory. */
const maxAliases = 50
const tooDeep = 'the settings nest too deep'
/** No setting is deeper than five: what is much deeper would fill the stack of whatever walks through it, and an alias of itself has no end. */
export const mostLevels = 32

/**
 * YAML 1.2 with its core schema and no more: no tags but those of that schema, no directives, no merge keys, names are texts. The parser
 * is loaded here, at the first use: it takes 20 ms and some megabytes, which a gateway with a JSON file, or none, does without.
 */
function parserAndRules() {
  const yaml = require('yaml') as typeof import('yaml')
  const rules = {
    version: '1.2',
    schema: 'core',
    resolveKnownTags: false,
    merge: false,
    stringKeys: true,
    uniqueKeys: true,
    prettyErrors: false,
  } as const
  return { yaml, rules }
}

/** Parses a YAML text of one document. Throws a `CommandError` (78) that names the file and the line. */
export function openYaml(text: string, file: string): ConfigFile {
  const { yaml, rules } = parserAndRules()
  const lines = new yaml.LineCounter()
  const fail = (offset: number, problem: string) =>
    new CommandError(exitCodes.config, `${file}:${lines.linePos(offset).line || 1}: ${problem}`)
  try {
    const documents: Document.Parsed[] = [...yaml.parseAllDocuments(text, { ...rules, lineCounter: lines })]
    const [document, second] = documents
    if (!document) throw fail(0, 'there is nothing but comments: "{}" says that nothing is set')
    const [problem] = [...document.errors, ...document.warnings]
    if (problem) throw fail(problem.pos[0], said(problem, text))
    if (second) throw fail(second.range[0], 'there is a second document ("---"), and only one is allowed')
    if (document.directives.yaml.explicit) throw fail(0, 'directives ("%YAML") are not allowed')
    const tree: unknown = document.toJS({ maxAliasCount: maxAliases })
    if (isDeeperThan(mostLevels, tree)) throw fail(0, tooDeep)
    return {
      tree,
      lineOf: (path) => lines.linePos(offsetOf(document, path)).line,
    }
  } catch (error) {
    if (error instanceof ReferenceError)
      throw fail(0, `the aliases ("*name") are not allowed: ${inWords(error.message)}`)
    if (error instanceof RangeError) throw fail(0, tooDeep)
    throw error
  }

  function offsetOf(document: Document.Parsed, path: readonly PropertyKey[]): number {
    let node: unknown = document.contents
    let offset = startOf(node)
    for (const name of path) {
      if (yaml.isAlias(node)) node = node.resolve(document)
      if (yaml.isMap(node)) {
        const pair = node.items.find(({ key }) => (yaml.isScalar(key) ? key.value : key) === name)
        if (!pair) break
        offset = startOf(pair.key)
        node = pair.value
      } else if (yaml.isSeq(node)) {
        node = node.items[Number(name)]
        offset = startOf(node) || offset
      } else break
    }
    return offset
  }
}

/** Ends at the first that is too deep. */
export function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((one) => isDeeperThan(levels - 1, one))
}

function startOf(node: unknown): number {
  const range = (node as { range?: readonly number[] | null } | null | undefined)?.range
  return range?.[0] ?? 0
}

/** What the parser found, in a sentence. */
function said({ code, message, pos }: YAMLError, text: string): string {
  switch (code) {
    case 'DUPLICATE_KEY': {
      const [name = 'a setting'] = /^[\w.-]+/.exec(text.slice(pos[0]).replace(/^["']/, '')) ?? []
      return `${name} is given twice, and each setting may be given once`
    }
    case 'TAG_RESOLVE_FAILED':
      return `tags ("!name") are not allowed: ${inWords(message)}`
    case 'RESOURCE_EXHAUSTION':
      return tooDeep
    case 'NON_STRING_KEY':
      return 'the name of a setting must be a text'
    default:
      // What it quotes might be a secret.
      return `this is neither JSON nor YAML: ${inWords(message.replace(/: ".*$/s, ''))}`
  }
}

function inWords(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1)
}
