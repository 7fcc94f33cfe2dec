import { z } from 'zod'

/**
 * What an operation answers when it succeeds: for OpenAPI, and for the test that holds every answer against it. Where nothing is said, a
 * list answers with names, and anything else with nothing (204) or with warnings alone.
 */
export interface Answers {
  /** The `data` of the envelope. */
  data?: z.ZodType
  /** The members of `data` stand at the top level too. */
  repeat?: boolean
  /** The answer is a token, in the envelope's `auth`; `maybe`: there or not. */
  auth?: boolean | 'maybe'
  /** There may also be nothing to say: 204. */
  orNothing?: boolean
  /** The caller may choose the status. */
  anyStatus?: boolean
  /** The whole body, where it comes without an envelope. */
  raw?: z.ZodType
  /** The media type of a body that is no JSON. */
  text?: string
}

/** A list: names in order. */
export const namesAnswer: Answers = { data: z.object({ keys: z.array(z.string()) }) }

/** RFC 3339, in UTC. */
export const time = z.iso.datetime()
export const seconds = z.number().int().min(0)
export const stringMap = z.record(z.string(), z.string())

/** What `authShape` gives. */
export const authAnswer = z.object({
  client_token: z.string(),
  accessor: z.string(),
  policies: z.array(z.string()),
  token_policies: z.array(z.string()),
  metadata: stringMap.nullable(),
  lease_duration: seconds,
  renewable: z.boolean(),
  entity_id: z.string(),
  token_type: z.enum(['service', 'batch']),
  orphan: z.boolean(),
  mfa_requirement: z.null(),
  num_uses: z.number().int(),
})
