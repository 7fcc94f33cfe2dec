import type { Answer, Envelope } from '../client/ask.ts'
import { print } from '../client/print.ts'
import { printable } from '../client/refusals.ts'
import { fieldOf, json, rowsOf, table, text } from '../client/show.ts'
import { CommandError, exitCodes } from '../config/exit-codes.ts'
import { type Format, formatOption } from './format.ts'

/** The flags of commands that show an answer. */
export const showOptions = {
  field: { type: 'string', value: 'NAME', help: 'only this field, raw; dots lead further in: versions.1.public_key' },
  format: formatOption,
} as const

/** Warnings of an answer, to standard error. */
export function warn({ body }: Answer): void {
  for (const warning of body?.warnings ?? []) console.error(`keyferry: warning: ${printable(warning)}`)
}

/** Whether an answer holds anything that can be shown. */
export function hasContent(body: Envelope | undefined): body is Envelope {
  return Boolean(body?.data ?? body?.auth ?? body?.wrap_info)
}

/** An answer with something to show; some paths of `sys/` answer without an envelope, and all of that is data. */
export function enveloped(body: Envelope): Envelope {
  return hasContent(body) || 'request_id' in body ? body : { data: body }
}

/** Prints one field, the whole answer as JSON, or its table. Throws a `CommandError` (2) for a field that is not there. */
export function show(body: Envelope, { field, format }: { field: string | undefined; format: Format }): void {
  if (field !== undefined) showField(body, field)
  else print(`${format === 'json' ? json(body) : table(rowsOf(body))}\n`)
}

/** Raw: with a line's end on a terminal only, so that what a pipe gets is the value and nothing else. */
function showField(body: Envelope, name: string): void {
  const rows = rowsOf(body)
  const found = fieldOf(rows, name)
  if (!found) {
    const names = rows.map(([one]) => one).join(', ')
    throw new CommandError(exitCodes.refused, `the answer has no field "${name}": its fields are ${printable(names)}`)
  }
  const end = process.stdout.isTTY ? '\n' : ''
  print(`${process.stdout.isTTY ? printable(text(found.value)) : text(found.value)}${end}`)
}
