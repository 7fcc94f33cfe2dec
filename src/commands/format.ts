import { type CommandSpec, usageError } from './command.ts'

export type Format = 'table' | 'json'

/** The flag of every command that prints data. */
export const formatOption = {
  type: 'string',
  value: 'FORMAT',
  help: 'table (unless told), for people, or json',
} as const

/** Throws a `CommandError` (64) for a format that is not known. */
export function formatOf(spec: CommandSpec, given: string | undefined): Format {
  if (given === undefined || given === 'table') return 'table'
  if (given === 'json') return given
  throw usageError(spec, `--format ${given} is not known: table and json are`)
}
