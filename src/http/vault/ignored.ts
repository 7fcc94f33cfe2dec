import { z } from 'zod'
import { printable } from '../../core/keys/types.ts'
import type { Awaitable } from '../../core/store.ts'
import { type Answer, isEnveloped } from './envelope.ts'

/** The fields that a write knows; undefined where it takes any. */
export type Known = ReadonlySet<string> | undefined

/** So many names are repeated to whoever sent them. */
const mostNames = 50

export function knownFields(schema: z.ZodType): Known {
  if (!(schema instanceof z.ZodObject) || schema.def.catchall !== undefined) return undefined
  return new Set(Object.keys(schema.shape))
}

/**
 * Vault's two warnings for fields of a body that have no effect: those that the path does not know, and those whose value is a part of
 * the path already.
 */
export function ignoredFields(
  known: Known,
  params: Readonly<Record<string, string>>,
  body: Readonly<Record<string, unknown>>,
): string[] {
  if (known === undefined) return []
  const strange = Object.keys(body).filter((name) => !known.has(name))
  if (strange.length === 0) return []
  const inPath = strange.filter((name) => Object.hasOwn(params, name))
  const unknown = strange.filter((name) => !Object.hasOwn(params, name))
  return [
    ...warning('Endpoint ignored these unrecognized parameters', unknown),
    ...warning(
      "Endpoint replaced the value of these parameters with the values captured from the endpoint's path",
      inPath,
    ),
  ]
}

/** As in Vault, warnings of ignored fields make no answer where there is none. */
export async function withWarnings(pending: Awaitable<Answer>, warnings: readonly string[]): Promise<Answer> {
  const answer = await pending
  if (!isEnveloped(answer)) return answer
  return { ...answer, warnings: [...(answer.warnings ?? []), ...warnings] }
}

/** Names as Go prints a list of them: `[a b]`. */
function warning(sentence: string, names: readonly string[]): string[] {
  if (names.length === 0) return []
  const shown = names.slice().sort().slice(0, mostNames).map(printable)
  return [`${sentence}: [${shown.join(' ')}${names.length > mostNames ? ' ...' : ''}]`]
}
