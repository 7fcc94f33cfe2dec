import { readFileSync } from 'node:fs'
import { systemReason } from '../config/exit-codes.ts'

/** A field that is not as it must be. The message repeats no value, which may be a secret. */
export class FieldError extends Error {}

type Fields = Record<string, unknown>

/**
 * The body of a write, from arguments as Vault's command line reads them (kv-builder): `name=value`; `name=@file` and `name=-` take the
 * value from a file or from standard input, `name=\@text` is text that begins with `@`; `-` and `@file` alone are a JSON object whose
 * fields join the others. The value ends the text from the first `=`. A name that is given again makes a list. Values are strings.
 * `readStdin` is called once at most. Throws a `FieldError`.
 */
export async function fieldsOf(args: readonly string[], readStdin: () => Promise<string>): Promise<Fields> {
  const fields = new Map<string, unknown>()
  let consumed = false
  const fromStdin = async () => {
    if (consumed) throw new FieldError('standard input can be read only once: "-" is given twice')
    consumed = true
    return await readStdin()
  }
  for (const [index, argument] of args.entries()) {
    if (argument === '-') {
      merge(fields, await fromStdin(), 'what came on standard input')
      continue
    }
    if (argument.startsWith('@') && !argument.includes('=')) {
      merge(fields, contentOf(argument.slice(1)), argument.slice(1))
      continue
    }
    const at = argument.indexOf('=')
    if (at < 1) throw new FieldError(`field ${index + 1} is not NAME=VALUE, nor "-" or "@FILE" for a JSON object`)
    const [name, text] = [argument.slice(0, at), argument.slice(at + 1)]
    const value = text === '-' ? await fromStdin() : text.startsWith('@') ? contentOf(text.slice(1)) : unescaped(text)
    fields.set(name, fields.has(name) ? [...asList(fields.get(name)), value] : value)
  }
  return Object.fromEntries(fields)
}

function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [value]
}

function unescaped(text: string): string {
  return text.startsWith('\\@') ? text.slice(1) : text
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new FieldError(`the file ${file} cannot be read: ${systemReason(error)}`)
  }
}

function merge(fields: Map<string, unknown>, text: string, source: string): void {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    // The error of the parser would repeat what may be a secret.
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new FieldError(`${source} is not a JSON object, as in {"type": "rsa-3072"}`)
  }
  for (const [name, value] of Object.entries(parsed)) fields.set(name, value)
}
