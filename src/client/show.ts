import type { Envelope } from './ask.ts'
import { printable } from './refusals.ts'

export type Row = readonly [name: string, value: unknown]

/** What an answer holds, as the rows that Vault's command line shows: of a wrapped answer, of a login, and of data, sorted by name. */
export function rowsOf({ data, auth, wrap_info: wrapped }: Envelope): Row[] {
  return [...(wrapped ? wrappingRows(wrapped) : []), ...(auth ? authRows(auth) : []), ...sorted(data ?? {})]
}

function wrappingRows(wrapped: Record<string, unknown>): Row[] {
  return [
    ['wrapping_token', wrapped.token],
    ['wrapping_accessor', wrapped.accessor],
    ['wrapping_token_ttl', duration(wrapped.ttl)],
    ['wrapping_token_creation_time', wrapped.creation_time],
    ['wrapping_token_creation_path', wrapped.creation_path],
  ]
}

function authRows(auth: Record<string, unknown>): Row[] {
  return [
    ['token', auth.client_token],
    ['token_accessor', auth.accessor],
    ['token_duration', duration(auth.lease_duration)],
    ['token_renewable', auth.renewable],
    ['token_policies', auth.token_policies ?? auth.policies],
    ...sorted((auth.metadata ?? {}) as Record<string, unknown>).map(
      ([name, value]): Row => [`token_meta_${name}`, value],
    ),
  ]
}

function sorted(record: Record<string, unknown>): Row[] {
  return Object.keys(record)
    .sort()
    .map((name) => [name, record[name]])
}

/** Seconds as Vault's command line writes them: `1h30m`, `∞` for a token that does not end. */
function duration(seconds: unknown): unknown {
  if (typeof seconds !== 'number') return seconds
  if (seconds === 0) return '∞'
  const parts = [`${Math.floor(seconds / 3600)}h`, `${Math.floor(seconds / 60) % 60}m`, `${seconds % 60}s`]
  return parts.filter((part) => !part.startsWith('0')).join('')
}

/** A table of two columns; a value of several lines stays in its column. */
export function table(rows: readonly Row[]): string {
  const width = Math.max(3, ...rows.map(([name]) => name.length)) + 4
  const lines = [['Key', 'Value'], ['---', '-----'], ...rows.map(([name, value]) => [name, printable(text(value))])]
  const indent = `\n${' '.repeat(width)}`
  return lines
    .map(([name = '', value = '']) =>
      `${printable(name).padEnd(width)}${value.trimEnd().replaceAll('\n', indent)}`.trimEnd(),
    )
    .join('\n')
}

/** One column of names. */
export function list(names: readonly unknown[]): string {
  return ['Keys', '----', ...names.map((name) => printable(text(name)))].join('\n')
}

/** A field by its name, or by names with dots between for what is further in (`versions.1.public_key`); undefined where there is none. */
export function fieldOf(rows: readonly Row[], name: string): { value: unknown } | undefined {
  const row = rows.find(([one]) => one === name)
  if (row) return { value: row[1] }
  for (let at = name.lastIndexOf('.'); at > 0; at = name.lastIndexOf('.', at - 1)) {
    const outer = fieldOf(rows, name.slice(0, at))?.value
    const inner = name.slice(at + 1)
    if (typeof outer === 'object' && outer !== null && Object.hasOwn(outer, inner)) {
      return { value: (outer as Record<string, unknown>)[inner] }
    }
  }
  return undefined
}

/** JSON as a terminal may have it too: JSON itself allows characters that some terminals obey. */
export function json(value: unknown): string {
  return printable(JSON.stringify(value, null, 2))
}

/** A value as text: strings as they are, `<nil>` as Vault's command line writes it, the rest as JSON. */
export function text(value: unknown): string {
  if (typeof value === 'string') return value
  return value === null || value === undefined ? '<nil>' : JSON.stringify(value)
}
