import { type CommandSpec, usageError } from './command.ts'

/**
 * The path that a client command names, as it goes behind `/v1/`: slashes around it are left out, as Vault's command line does. Throws a
 * `CommandError` (64) where there is none, more than one, or one that would lead elsewhere.
 */
export function onePath(spec: CommandSpec, operands: readonly string[]): string {
  const [path, ...others] = operands
  if (path === undefined)
    throw usageError(spec, 'PATH is missing: it is what stands behind /v1/, as in keymgmt/key/orders')
  if (others.length > 0) throw usageError(spec, `"${others[0]}" is not expected: the command takes one path`)
  return checkedPath(spec, path)
}

/** As `onePath`, of a path alone. */
export function checkedPath(spec: CommandSpec, path: string): string {
  const parts = path.replace(/^\/+|\/+$/g, '').split('/')
  if (parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw usageError(spec, `the path "${path}" is not allowed: its parts must not be empty, "." or ".."`)
  }
  return parts.join('/')
}
