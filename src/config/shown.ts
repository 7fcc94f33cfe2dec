import { usualValue, usualVariables } from './azure.ts'
import type { Environment, Loaded } from './load.ts'
import { flatten } from './tree.ts'

/** A setting as it is shown to people: what it is, and where that was said. */
export interface Shown {
  setting: string
  value: unknown
  /** A flag, a variable, `FILE:LINE`, or `default`. */
  from: string
}

const hidden = '(hidden)'
const usualNames = Object.keys(usualVariables) as (keyof typeof usualVariables)[]
/** Not settings, but as good as some: what is in force does not show without them. */
const alsoUsed = ['KEYFERRY_ROOT_KEY', 'KEYFERRY_ROOT_KEY_PREVIOUS'] as const
const ofAzure = ['AZURE_TENANT_ID', 'AZURE_CLIENT_ID', 'AZURE_CLIENT_SECRET', 'AZURE_ENVIRONMENT'] as const
const secrets: readonly string[] = [...alsoUsed, 'AZURE_CLIENT_SECRET']

/** All settings in force, and the variables that stand for some, without anything secret. */
export function shownSettings({ settings, originOf }: Loaded, environment: Environment): Shown[] {
  const rows = flatten(settings).map(
    ([path, value]): Shown => ({
      setting: path.join('.'),
      value: withoutSecrets(path.join('.'), value),
      from: originOf(path) ?? 'default',
    }),
  )
  const said = new Set(rows.map(({ setting }) => setting))
  const usual = usualNames.flatMap((setting): Shown[] => {
    const found = said.has(setting) ? undefined : usualValue(setting, settings.azure, environment)
    return found ? [{ setting, value: withoutSecrets(setting, found.value), from: found.variable }] : []
  })
  const variables = [...alsoUsed, ...(settings.azure.ambient.environment ? ofAzure : [])].flatMap((name): Shown[] => {
    const value = environment[name]
    if (value === undefined) return []
    return [{ setting: name, value: secrets.includes(name) ? hidden : value, from: 'environment' }]
  })
  return [...rows, ...usual, ...variables]
}

/** What stands in a URL before its host may be a name and a password. */
function withoutSecrets(setting: string, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((one) => withoutSecrets(setting, one))
  if (typeof value !== 'string') return value
  const before =
    setting === 'azure.proxy.httpsProxy' ? /^([a-z][a-z0-9+.-]*:\/\/)?.*@/is : /^([a-z][a-z0-9+.-]*:\/\/).*@/is
  return value.replace(before, `$1${hidden}@`)
}
