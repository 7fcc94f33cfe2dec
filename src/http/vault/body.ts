import { invalid, KeyferryError } from '../../core/errors.ts'
import { printable } from '../../core/keys/types.ts'

const nothing: Readonly<Record<string, unknown>> = Object.freeze({})

/**
 * The fields of a body, already read and within the limits: a JSON object, `null` or nothing, or a form. Throws `invalid`; the message
 * repeats nothing of the body, which may hold a secret.
 */
export function parseBody(text: string, contentType: string | null): Readonly<Record<string, unknown>> {
  const trimmed = text.trim()
  if (trimmed === '' || trimmed === 'null') return nothing
  if (isForm(trimmed, contentType)) return parseForm(trimmed)
  let value: unknown
  try {
    value = JSON.parse(trimmed)
  } catch {
    throw invalid('failed to parse JSON input: the body is not valid JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid('failed to parse JSON input: the body must be a JSON object')
  }
  return value as Record<string, unknown>
}

const mergePatch = 'application/merge-patch+json'

/** The one kind of patch that there is (RFC 7396). Throws `unsupported_type` for any other. */
export function checkPatchType(contentType: string | null): void {
  const sent = mediaTypeOf(contentType)
  if (sent === mergePatch) return
  const provided = sent ? `provided ${printable(sent)}` : 'provided none'
  throw new KeyferryError('unsupported_type', `PATCH requires Content-Type of ${mergePatch}, ${provided}`)
}

function mediaTypeOf(contentType: string | null): string | undefined {
  return contentType?.split(';', 1)[0]?.trim().toLowerCase()
}

/** Vault's rule: the type says form, and the text does not begin like JSON (curl's `-d` says form whatever is sent). */
function isForm(text: string, contentType: string | null): boolean {
  return mediaTypeOf(contentType) === 'application/x-www-form-urlencoded' && text[0] !== '{' && text[0] !== '['
}

/** A name that comes more than once is a list. */
function parseForm(text: string): Record<string, unknown> {
  const form = new URLSearchParams(text)
  return Object.fromEntries(
    [...new Set(form.keys())].map((name) => {
      const values = form.getAll(name)
      return [name, values.length === 1 ? values[0] : values]
    }),
  )
}
