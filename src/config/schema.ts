import { settingsSchema } from './settings.ts'

/** What is used here of zod's schemas. */
interface Schema {
  description?: string
  shape?: Readonly<Record<PropertyKey, Schema>>
  /** Of an object with names of the operator's choosing. */
  valueType?: Schema
  def?: { type?: string; innerType?: Schema; defaultValue?: unknown }
}

/** A setting of the schema. */
export interface Described {
  description: string
  /** What it is unless told; undefined for what is decided elsewhere. */
  default: unknown
}

/** What the schema says of the setting at a path. Throws when there is none: the path is one of the program's own. */
export function describedAt(path: readonly string[]): Described {
  const schema = schemaAt(path)
  if (schema?.description === undefined) throw new Error(`no setting is described at ${path.join('.')}`)
  return {
    description: schema.description,
    default: schema.def?.type === 'default' ? schema.def.defaultValue : undefined,
  }
}

/** The names of the settings in one object of the schema; none where there is no such object. */
export function namesAt(path: readonly PropertyKey[]): string[] {
  return Object.keys(bare(schemaAt(path))?.shape ?? {})
}

/** The paths of all settings, in their order; `*` stands for a name of the operator's choosing. */
export function allSettings(path: readonly string[] = []): string[][] {
  const { shape, valueType } = bare(schemaAt(path)) ?? {}
  if (valueType) return allSettings([...path, '*'])
  if (!shape) return [[...path]]
  return Object.keys(shape).flatMap((name) => allSettings([...path, name]))
}

function schemaAt(path: readonly PropertyKey[]): Schema | undefined {
  let schema: Schema | undefined = settingsSchema as Schema
  for (const name of path) {
    const { shape, valueType }: Schema = bare(schema) ?? {}
    schema = (shape && Object.hasOwn(shape, name) ? shape[name] : undefined) ?? valueType
  }
  return schema
}

/** Without what says that it may be left out, and what it is then. */
function bare(schema: Schema | undefined): Schema | undefined {
  return schema?.def?.innerType ? bare(schema.def.innerType) : schema
}
