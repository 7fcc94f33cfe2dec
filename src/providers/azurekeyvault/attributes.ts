import { invalid, KeyferryError } from '../../core/errors.ts'
import { printable } from '../../core/keys/types.ts'
import { CloudError, type ImportRequest } from '../../core/kms/provider.ts'
import type { CopyOptions } from '../../core/store.ts'

/** The tag that Vault itself writes: the remote name. */
export const nameTag = 'key_name'
/** The tag by which a lost answer is found again. */
export const importIdTag = 'keyferry_import_id'
/** How the names of our key encryption keys begin; no other key may have such a name. */
export const kekPrefix = 'keyferry-kek-'

/** The tags of a version: the caller's, and those that are ours. */
export function allTags(
  remoteName: string,
  importId: string,
  others: Readonly<Record<string, string>> | undefined,
): Record<string, string> {
  return { ...others, [nameTag]: remoteName, [importIdTag]: importId }
}

/** Azure: at most 15 tags a key, name and value at most 256 characters each. Two of the 15 are ours. */
const maximumTags = 15 - 2
const maximumTagLength = 256
/** The SDK sends dates as 32-bit numbers: later ones would arrive negative. */
const latestSeconds = 2 ** 31 - 1

/** Throws `invalid` unless the name may be given to a key: Azure's rule, less the names of our key encryption keys. */
export function checkRemoteName(name: string): void {
  if (!/^[0-9a-zA-Z-]{1,127}$/.test(name)) {
    throw invalid(
      `the name "${printable(name)}" is not allowed in Azure Key Vault: 1 to 127 letters, digits and "-" are`,
    )
  }
  if (name.toLowerCase().startsWith(kekPrefix)) {
    throw invalid(
      `the name "${printable(name)}" is not allowed: names that begin with ${kekPrefix} are kept for key encryption keys`,
    )
  }
}

/** `-` and unix seconds, which the core puts behind the base name; with one digit more than today's. */
const suffixLength = 12

/** Makes a key's name fit to begin a remote name: whatever Azure does not allow becomes `-`. */
export function remoteBaseName(keyName: string): string {
  const fit = keyName.replace(/[^0-9a-zA-Z-]/g, '-')
  const free = fit.toLowerCase().startsWith(kekPrefix) ? `key-${fit}` : fit
  return free.slice(0, 127 - suffixLength)
}

/** Throws `invalid` unless tags and times (seconds since 1970) can be written to the service as they are. */
export function checkAttributes(attributes: Pick<CopyOptions, 'tags' | 'notBefore' | 'expires'>): void {
  const { tags, notBefore, expires } = attributes
  checkTags(tags ?? {})
  checkTime('not_before', notBefore)
  checkTime('expires', expires)
  if (notBefore !== undefined && expires !== undefined && expires <= notBefore) {
    throw invalid('expires must be later than not_before')
  }
}

function checkTags(tags: Readonly<Record<string, string>>): void {
  const names = Object.keys(tags)
  if (names.length > maximumTags) {
    throw invalid(
      `too many tags: ${names.length}, allowed are ${maximumTags} (Azure's 15 less the two that Keyferry writes)`,
    )
  }
  const seen = new Set<string>()
  for (const [name, value] of Object.entries(tags)) {
    const shown = printable(name)
    if (name === '' || name.length > maximumTagLength || !printableText(name)) {
      throw invalid(
        `the tag name "${shown}" is not allowed: 1 to ${maximumTagLength} characters without control characters are`,
      )
    }
    if (typeof value !== 'string' || value.length > maximumTagLength || !printableText(value)) {
      throw invalid(
        `the value of the tag "${shown}" is not allowed: up to ${maximumTagLength} characters without control characters are`,
      )
    }
    const folded = name.toLowerCase()
    if (folded === nameTag || folded === importIdTag)
      throw invalid(`the tag name "${shown}" is kept for Keyferry's own use`)
    if (seen.has(folded)) throw invalid(`the tag "${shown}" is given twice; names of tags do not differ by case`)
    seen.add(folded)
  }
}

function checkTime(field: string, seconds: number | undefined): void {
  if (seconds === undefined || (seconds >= 0 && seconds <= latestSeconds)) return
  throw invalid(
    `${field} is not a time that can be sent to Azure: allowed are 1970-01-01T00:00:00Z to 2038-01-19T03:14:07Z`,
  )
}

function printableText(text: string): boolean {
  return !/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(text) && text.isWellFormed()
}

/** The same for an import. The core has asked `checkCopy` before; were a time to slip through, the SDK would send it negative. */
export function refuseUnsendable({ tags, notBefore, expires }: ImportRequest): void {
  try {
    checkAttributes({
      ...(tags && { tags: { ...tags } }),
      ...(notBefore && { notBefore: notBefore.getTime() / 1000 }),
      ...(expires && { expires: expires.getTime() / 1000 }),
    })
  } catch (error) {
    throw error instanceof KeyferryError ? new CloudError('refused', error.message) : error
  }
}
