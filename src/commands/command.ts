import { parseArgs } from 'node:util'
import { CommandError, exitCodes } from '../config/exit-codes.ts'
import { didYouMean } from '../config/nearest.ts'

export interface Option {
  type: 'string' | 'boolean'
  /** What a string option takes, for the help: `DIR`. */
  value?: string
  help: string
}

/** How a command is called. */
export interface CommandSpec {
  name: string
  /** After the name, in the first line of the help. */
  usage: string
  about: string
  options: Readonly<Record<string, Option>>
  /** Options that have one letter as well: `{ f: 'force' }`. */
  letters?: Readonly<Record<string, string>>
  examples: readonly string[]
}

/** A command: each is a module of its own in this folder, loaded when it is called. */
export interface Command {
  /** Resolves when the command has done its work; a server's, when it has stopped. */
  run(args: string[]): Promise<void>
}

export type OptionValues<Spec extends CommandSpec> = {
  [Name in keyof Spec['options']]?: Spec['options'][Name]['type'] extends 'boolean' ? boolean : string
}

/**
 * Reads a command's arguments. Gives undefined when they asked for help, which is then printed. Throws a `CommandError` (64) for an
 * unknown flag, one without its value, one given twice, and anything that is no flag.
 */
export function parseCommand<const Spec extends CommandSpec>(
  spec: Spec,
  args: string[],
): OptionValues<Spec> | undefined {
  const parsed = parseWithOperands(spec, args)
  const [operand] = parsed?.operands ?? []
  if (operand !== undefined) throw usageError(spec, `"${operand}" is not expected: the command takes only flags`)
  return parsed?.options
}

/**
 * Reads the arguments of a command that takes more than flags, `operands`, in their order. Flags may have one dash, as for Vault's
 * command line. Else as `parseCommand`.
 */
export function parseWithOperands<const Spec extends CommandSpec>(
  spec: Spec,
  given: string[],
): { options: OptionValues<Spec>; operands: string[] } | undefined {
  const args = withTwoDashes(spec, given)
  if (args.some((arg) => arg === '--help' || arg === '-h')) {
    console.log(commandHelp(spec))
    return undefined
  }
  const options: Record<string, { type: 'string' | 'boolean' }> = {}
  for (const [name, { type }] of Object.entries(spec.options)) options[name] = { type }
  const { tokens } = parseArgs({ args, options, strict: false, allowPositionals: true, tokens: true })
  const values: Record<string, string | boolean> = {}
  const operands: string[] = []
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue
    if (token.kind === 'positional') {
      operands.push(token.value)
      continue
    }
    const option = Object.hasOwn(spec.options, token.name) ? spec.options[token.name] : undefined
    if (!option) {
      const near = didYouMean(token.name, Object.keys(spec.options), (name) => `--${name}`)
      throw usageError(spec, `unknown flag ${token.rawName}${near}`)
    }
    if (token.name in values) throw usageError(spec, `${token.rawName} is given twice`)
    values[token.name] = option.type === 'boolean' ? flag(spec, token) : value(spec, option, token)
  }
  return { options: values as OptionValues<Spec>, operands }
}

/** `-field=x` as `--field=x`, and a letter as the option that it stands for, up to a `--`. */
function withTwoDashes({ options, letters = {} }: CommandSpec, args: readonly string[]): string[] {
  const end = args.indexOf('--')
  return args.map((arg, index) => {
    const [, name = '', rest = ''] = /^-([a-z][a-z-]*)(=.*)?$/s.exec(arg) ?? []
    if (name === '' || (end >= 0 && index > end)) return arg
    const long = Object.hasOwn(letters, name) ? letters[name] : Object.hasOwn(options, name) ? name : undefined
    return long === undefined ? arg : `--${long}${rest}`
  })
}

interface OptionToken {
  rawName: string
  value?: string | undefined
  inlineValue?: boolean | undefined
}

function flag(spec: CommandSpec, token: OptionToken): true {
  if (token.value !== undefined) throw usageError(spec, `${token.rawName} takes no value`)
  return true
}

function value(spec: CommandSpec, option: Option, token: OptionToken): string {
  const missing = token.value === undefined || token.value === '' || (!token.inlineValue && token.value.startsWith('-'))
  if (missing) throw usageError(spec, `${token.rawName} needs a value: ${token.rawName}=${option.value}`)
  return token.value ?? ''
}

/** A mistake in how a command was called. */
export function usageError(spec: { name: string }, message: string): CommandError {
  return new CommandError(exitCodes.usage, `${message}. "keyferry ${spec.name} --help" shows what is allowed`)
}

/** What a flag that cannot be left out gives. */
export function required(spec: CommandSpec, name: string, given: string | undefined): string {
  if (given !== undefined) return given
  throw usageError(spec, `--${name} ${spec.options[name]?.value ?? ''} is missing`)
}

export function commandHelp(spec: CommandSpec): string {
  const letterOf = Object.fromEntries(
    Object.entries(spec.letters ?? {}).map(([letter, name]) => [name, `-${letter}, `]),
  )
  const rows = Object.entries(spec.options).map(([name, { value, help }]) => [
    `  ${letterOf[name] ?? ''}--${name}${value === undefined ? '' : ` ${value}`}`,
    help,
  ])
  const width = Math.max(0, ...rows.map(([left = '']) => left.length)) + 2
  return [
    `keyferry ${spec.name} ${spec.usage}`.trimEnd(),
    '',
    spec.about,
    ...(rows.length > 0 ? ['', ...rows.map(([left = '', right]) => `${left.padEnd(width)}${right}`)] : []),
    '',
    spec.examples.length > 1 ? 'Examples:' : 'Example:',
    ...spec.examples.map((example) => `  ${example}`),
  ].join('\n')
}
