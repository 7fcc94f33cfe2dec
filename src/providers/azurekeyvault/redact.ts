/** Shorter ones would blot out innocent words. */
const shortestSecret = 4

/**
 * Makes text from outside fit for a message: secrets that we know, and whatever looks like a token, key material or the query of a
 * URL, are blotted out; control characters become spaces; at most 400 characters remain.
 */
export function redact(text: string, secrets: readonly string[]): string {
  let clean = text
  for (const secret of secrets) {
    for (const form of new Set([secret, encodeURIComponent(secret)])) {
      if (form.length >= shortestSecret) clean = clean.replaceAll(form, '[redacted]')
    }
  }
  clean = clean
    .replace(/-----BEGIN[\s\S]*?(?:-----END[^-]*-----|$)/g, '[redacted]')
    .replace(/\b(Bearer|PoP)\s+[\w.~+/=-]+/gi, '$1 [redacted]')
    .replace(/\beyJ[\w-]*(?:\.[\w-]*)*/g, '[redacted]')
    .replace(/(https?:\/\/[^\s?#"']+)[?#][^\s"']*/gi, '$1')
    .replace(/[\w+=-]{60,}/g, '[redacted]')
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\s]+/g, ' ')
    .trim()
  return clean.length > 400 ? `${clean.slice(0, 397)}...` : clean
}
