import { z } from 'zod'
import { type Answers, authAnswer } from '../vault/answers.ts'

/** A schema as OpenAPI 3.1 has it: JSON Schema 2020-12. */
export type JsonSchema = Record<string, unknown>

/** The schema of what is taken (`input`) or given (`output`: then nothing but what it names). */
export function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override: ({ jsonSchema: made }) => {
      // What every reader takes for granted.
      if (made.format === 'date-time') delete made.pattern
      if (made.maximum === Number.MAX_SAFE_INTEGER) delete made.maximum
      if (made.minimum === Number.MIN_SAFE_INTEGER) delete made.minimum
      if (made.propertyNames && Object.keys(made.propertyNames).join() === 'type') delete made.propertyNames
    },
  })
  return rest as JsonSchema
}

const warnings = { anyOf: [{ type: 'array', items: { type: 'string' } }, { type: 'null' }] }
const nothing = { type: 'null' }

/** Vault's envelope around `data`, with `more` beside its usual members. */
function envelope(data: JsonSchema, auth: JsonSchema, wrapInfo: JsonSchema, more: JsonSchema = {}): JsonSchema {
  const properties = {
    request_id: { type: 'string', format: 'uuid' },
    lease_id: { type: 'string' },
    renewable: { type: 'boolean' },
    lease_duration: { type: 'integer' },
    data,
    wrap_info: wrapInfo,
    warnings,
    auth,
    mount_type: { type: 'string' },
  }
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false, ...more }
}

/** The body of a 200; undefined where an operation has none but warnings. */
export function answerSchema({ data, repeat, auth, raw }: Answers): JsonSchema | undefined {
  if (raw) return jsonSchema(raw, 'output')
  if (!data && !auth) return undefined
  const dataSchema: JsonSchema = data ? jsonSchema(data, 'output') : nothing
  const authRef = { $ref: '#/components/schemas/Auth' }
  const authSchema = auth === 'maybe' ? { anyOf: [authRef, nothing] } : auth ? authRef : nothing
  const made = envelope(dataSchema, authSchema, nothing)
  if (!repeat) return made
  // What Vault repeats at the top level, except where a name is taken already.
  return {
    ...made,
    properties: { ...(dataSchema.properties as object), ...(made.properties as object) },
    additionalProperties: dataSchema.additionalProperties ?? false,
  }
}

const wrapInfo = z.object({
  token: z.string(),
  accessor: z.string(),
  ttl: z.number().int(),
  creation_time: z.iso.datetime(),
  creation_path: z.string(),
  wrapped_accessor: z.string().optional().describe('Of the token in the answer, where there is one.'),
})

/** What many operations share. */
export const sharedSchemas: Record<string, JsonSchema> = {
  Errors: {
    description: 'What went wrong, in sentences. What is missing, to a read or a list, has none.',
    ...jsonSchema(z.object({ errors: z.array(z.string()) }), 'output'),
  },
  Warnings: {
    description: 'It was done, and there is something to know about it.',
    ...envelope(nothing, nothing, nothing),
  },
  Accepted: {
    description: 'It goes on. Where it is about several KMSs, operation_ids has an operation for each.',
    ...envelope(
      jsonSchema(z.object({ operation_id: z.string(), operation_ids: z.array(z.string()) }), 'output'),
      nothing,
      nothing,
    ),
  },
  Auth: { description: 'A token that was made or renewed.', ...jsonSchema(authAnswer, 'output') },
  Wrapped: {
    description:
      'The answer to any request with X-Vault-Wrap-TTL: a token for which the answer itself can be had, once.',
    ...envelope(nothing, nothing, jsonSchema(wrapInfo, 'output')),
  },
  Help: {
    description: 'The answer to any path with ?help=1.',
    ...jsonSchema(z.object({ help: z.string(), see_also: z.null() }), 'output'),
  },
}
