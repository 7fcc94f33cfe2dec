import type { Finding } from '../../core/kms/provider.ts'
import type { Deadline, VaultClient } from './client.ts'
import { VaultError } from './errors.ts'

/** What Vault's documents ask for, and listing, which only makes things faster. */
export const probed = ['get', 'list', 'update', 'delete', 'create', 'import'] as const
export type Probed = (typeof probed)[number]

/** How a probe ended. `likely`: refused for its content, which the service looks at after the right to it. */
export type Verdict = 'granted' | 'likely' | 'missing' | 'unknown'

export interface Probes {
  verdicts: Record<Probed, Verdict>
  /** What kind of vault the refusal of an impossible HSM key tells of; undefined where it does not tell. */
  tier: 'premium' | 'standard' | undefined
  /** The vault lets nobody in from here, or does not take the token: nothing was learned about permissions. */
  shut: VaultError | undefined
  /** How many probes were answered with 429. */
  throttled: number
  findings: Finding[]
}

/**
 * Finds out what the identity may do by requests that can change nothing. Reading, changing and deleting are tried on a name of 128
 * random bits, where nothing is: 404 says that it would have been allowed, 403 that it is not. Making and importing are tried with
 * content that no vault takes (an RSA key of 1 bit, a key of type "none"): 403 says that it is not allowed; 400 that the request got
 * past that question, provided that the service asks it first, which is likely and not documented.
 */
export async function probePermissions(client: VaultClient, name: string, time: Deadline): Promise<Probes> {
  const version = '0'.repeat(32)
  const what = (action: string) => `${action} a key that does not exist, to see whether it may`
  const results = new Map<Probed, VaultError | 'done'>()
  const probe = async (action: Probed, work: Parameters<typeof client.call>[2]) => {
    const operation = { action, what: what(action), hsm: action === 'create' }
    const result = await client.call(operation, time, work).then(
      () => 'done' as const,
      (error: unknown) => {
        if (error instanceof VaultError) return error
        throw error
      },
    )
    results.set(action, result)
    return result
  }
  const first = await probe('get', (keys, options) => keys.getKey(name, options))
  if (first instanceof VaultError && isShut(first)) return { ...nothing, shut: first }
  await Promise.all([
    probe('list', (keys, options) => keys.listPropertiesOfKeys(options).byPage({ maxPageSize: 1 }).next()),
    probe('update', (keys, options) => keys.updateKeyProperties(name, version, { ...options, enabled: false })),
    probe('delete', (keys, options) => keys.beginDeleteKey(name, options)),
    probe('create', (keys, options) =>
      keys.createKey(name, 'RSA-HSM', { ...options, keySize: 1, keyOps: ['import'], enabled: false }),
    ),
    probe('import', (keys, options) =>
      keys.importKey(name, { kty: 'none', keyOps: [] }, { ...options, enabled: false }),
    ),
  ])
  const verdicts = { ...nothing.verdicts }
  for (const [action, result] of results) verdicts[action] = verdictOf(action, result)
  const made = (['create', 'import'] as const).some((action) => results.get(action) === 'done')
  return {
    verdicts,
    tier: tierOf(results.get('create')),
    shut: undefined,
    throttled: [...results.values()].filter((one) => one instanceof VaultError && one.status === 429).length,
    findings: made ? [await tidyUp(client, name, time)] : [],
  }
}

const nothing: Probes = {
  verdicts: {
    get: 'unknown',
    list: 'unknown',
    update: 'unknown',
    delete: 'unknown',
    create: 'unknown',
    import: 'unknown',
  },
  tier: undefined,
  shut: undefined,
  throttled: 0,
  findings: [],
}

/** A firewall and a token that is not taken come before any question of permissions. */
function isShut(error: VaultError): boolean {
  if (error.status === 401 || error.status === undefined) return true
  return (
    error.status === 403 &&
    /ByFirewall|ByConnection|firewall|public access/i.test(`${error.serviceCode} ${error.message}`)
  )
}

function verdictOf(action: Probed, result: VaultError | 'done'): Verdict {
  if (result === 'done') return 'granted'
  if (result.status === 403) return 'missing'
  const content = action === 'create' || action === 'import'
  if (result.status === 404 && !content) return 'granted'
  return result.status === 400 && content ? 'likely' : 'unknown'
}

function tierOf(result: VaultError | 'done' | undefined): 'premium' | 'standard' | undefined {
  if (!(result instanceof VaultError) || result.status !== 400) return undefined
  const said = `${result.serviceCode} ${result.message}`
  if (/\b(standard|sku)\b/i.test(said)) return 'standard'
  return /size/i.test(said) ? 'premium' : undefined
}

/** A vault that takes anything is none of Azure's own, but people have such for tests. */
async function tidyUp(client: VaultClient, name: string, time: Deadline): Promise<Finding> {
  const deleted = await client
    .call({ action: 'delete', what: `delete the key "${name}"` }, time, (keys, options) =>
      keys.beginDeleteKey(name, options),
    )
    .then(
      () => true,
      () => false,
    )
  return {
    level: 'warning',
    code: 'made_a_key',
    message: `the vault made a key of a request that is not valid, which Azure's own do not${deleted ? '; it was deleted again' : ''}`,
    ...(deleted ? {} : { action: `delete the key ${name} in the vault` }),
  }
}
