import { type CommandSpec, type OptionValues, parseWithOperands } from './command.ts'
import { type Format, formatOf, type formatOption } from './format.ts'
import { checkedPath, onePath } from './path.ts'

/** A command that asks a gateway about a path. */
type PathSpec = CommandSpec & { options: { format: typeof formatOption } }

/** What such a command was called with. */
export interface AtPath<Spec extends PathSpec> {
  options: OptionValues<Spec>
  format: Format
  path: string
  /** What stands behind the path. */
  fields: string[]
}

/**
 * Reads the arguments of a command that takes a path, and with `takesFields` more behind it. Gives undefined when they asked for help.
 * Throws a `CommandError` (64) as `parseWithOperands` and `onePath` do.
 */
export function atPath<const Spec extends PathSpec>(
  spec: Spec,
  args: string[],
  { takesFields = false } = {},
): AtPath<Spec> | undefined {
  const parsed = parseWithOperands(spec, args)
  if (!parsed) return undefined
  const { options, operands } = parsed
  const format = formatOf(spec, (options as { format?: string }).format)
  const [first, ...fields] = operands
  const path = takesFields && first !== undefined ? checkedPath(spec, first) : onePath(spec, operands)
  return { options, format, path, fields }
}
