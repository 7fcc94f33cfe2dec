import * as z from 'zod'
import { settingsSchema } from './settings.ts'

/** Where the published one is, beside the documents; also its name. */
export const publishedSchema = 'docs/keyferry.schema.json'

/**
 * The configuration file as a JSON Schema (draft 7, which editors know best), made from the very schema that a start checks: names, types,
 * what is allowed, what each setting is, and what it is unless told.
 */
export function configurationSchema(): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(settingsSchema, {
    io: 'input',
    target: 'draft-7',
    override({ jsonSchema }) {
      // Of an object: only that it may be left out.
      if (jsonSchema.type === 'object') delete jsonSchema.default
    },
  })
  return {
    $schema,
    title: 'The configuration of Keyferry',
    description: 'What "keyferry serve --config FILE" takes, as YAML or JSON.',
    ...rest,
  }
}
