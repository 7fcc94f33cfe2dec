import { constants, createPublicKey, createVerify, publicEncrypt, randomBytes } from 'node:crypto'
import type { Seen } from './cloud.ts'
import type { CrashWorld } from './world.ts'

interface Copy {
  id: string
  key: string
  kms: string
  collection: string
  remote_name: string
  state: string
  reason: string | null
  min_enabled_version: number
  latest_version: number
}

interface Version {
  version: number
  remote_version: string | null
  public_key: string
}

const copiesOf = `SELECT copies.id, keys.name AS key, kms.name AS kms, copies.collection, remote_name, state, reason,
  min_enabled_version, latest_version FROM copies LEFT JOIN keys ON keys.id = key_id LEFT JOIN kms ON kms.id = kms_id`

/**
 * What is wrong, in sentences: every version of every key has to be exactly once here and there, in the same state, the newest one current,
 * and nothing else may be there.
 */
export async function faultsOf(world: CrashWorld): Promise<string[]> {
  const copies = world.rows<Copy>(copiesOf)
  const faults = [...faultsHere(world, copies), ...(await leftOvers(world, copies))]
  for (const copy of copies) faults.push(...(await faultsOfCopy(world, copy)))
  return faults
}

/** The same of the copies of one key alone. */
export async function faultsOfKey(world: CrashWorld, name: string): Promise<string[]> {
  const copies = world.rows<Copy>(`${copiesOf} WHERE keys.name = ?`, name)
  return (await Promise.all(copies.map((copy) => faultsOfCopy(world, copy)))).flat()
}

const vaultOf = (collection: string) => collection.replace(/^https:\/\/([^.]+)\..*$/, '$1')

function faultsHere(world: CrashWorld, copies: readonly Copy[]): string[] {
  const faults = world
    .rows<{ name: string; latest: number; versions: string }>(
      `SELECT name, latest_version AS latest, (SELECT group_concat(version) FROM
       (SELECT version FROM key_versions WHERE key_id = keys.id ORDER BY version)) AS versions FROM keys`,
    )
    .filter(({ latest, versions }) => versions !== Array.from({ length: latest }, (_, index) => index + 1).join())
    .map(({ name, latest, versions }) => `${name} has the versions ${versions}, and the latest is said to be ${latest}`)
  for (const { kind } of world.rows("SELECT kind FROM operations WHERE state = 'pending'"))
    faults.push(`an operation to ${kind} never ended`)
  const orphans = [
    'SELECT version FROM key_versions WHERE key_id NOT IN (SELECT id FROM keys)',
    'SELECT version FROM copy_versions WHERE copy_id NOT IN (SELECT id FROM copies)',
    'SELECT id FROM keys WHERE mount_id NOT IN (SELECT id FROM mounts)',
    'SELECT id FROM namespaces WHERE deleted_at IS NOT NULL',
    "SELECT id FROM data_keys WHERE namespace_id <> 'root' AND namespace_id NOT IN (SELECT id FROM namespaces)",
  ]
  for (const sql of orphans) if (world.rows(sql).length > 0) faults.push(`there is something for: ${sql}`)
  const held = world.rows<{ holder: string }>('SELECT holder FROM remote_names').map(({ holder }) => holder)
  const holders = [
    ...copies.map(({ id }) => id),
    ...world.rows<{ id: string }>('SELECT id FROM wrapping_keys').map((one) => one.id),
  ]
  for (const holder of held)
    if (!holders.includes(holder)) faults.push(`a name is reserved for ${holder}, which is gone`)
  return faults
}

async function faultsOfCopy(world: CrashWorld, copy: Copy): Promise<string[]> {
  const name = `${copy.key} in ${copy.kms}`
  if (!copy.key || !copy.kms) return [`a removal never ended: ${copy.remote_name}, ${copy.reason}`]
  if (copy.state !== 'settled') return [`${name} is ${copy.state}: ${copy.reason}`]
  const vault = vaultOf(copy.collection)
  const here = world.rows<Version>(
    `SELECT copy_versions.version, remote_version, public_key FROM copy_versions
     JOIN copies ON copies.id = copy_id JOIN key_versions ON key_versions.key_id = copies.key_id AND key_versions.version = copy_versions.version
     WHERE copy_id = ? ORDER BY copy_versions.version`,
    copy.id,
  )
  const there = await world.cloud.versions(vault, copy.remote_name)
  const faults: string[] = []
  if (here.length !== copy.latest_version)
    faults.push(`${name} knows ${here.length} of ${copy.latest_version} versions`)
  if (there.length !== here.length) faults.push(`${name} has ${there.length} versions there, ${here.length} here`)
  for (const row of here) {
    const seen = there.find(({ version }) => version === row.remote_version)
    if (!seen) faults.push(`${name}: version ${row.version} is not there`)
    else faults.push(...(await faultsOfVersion(world, `${vault}/${copy.remote_name}`, copy, row, seen)))
  }
  if ((await world.cloud.latest(vault, copy.remote_name)) !== here.at(-1)?.remote_version)
    faults.push(`${name}: the newest is not the current one`)
  return faults
}

async function faultsOfVersion(
  world: CrashWorld,
  place: string,
  copy: Copy,
  row: Version,
  seen: Seen,
): Promise<string[]> {
  const name = `version ${row.version} of ${copy.key} in ${copy.kms}`
  const ours = createPublicKey(row.public_key)
  if (!seen.publicKey.equals(ours)) return [`${name} is another key there`]
  const should = row.version >= copy.min_enabled_version
  if (seen.enabled !== should) return [`${name} should be ${should ? 'enabled' : 'disabled'}`]
  if (!seen.enabled) return []
  const [vault = '', remoteName = ''] = place.split('/')
  const message = randomBytes(32)
  if (ours.asymmetricKeyType === 'rsa') {
    const padding = { key: ours, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }
    const opened = await world.cloud.use(
      vault,
      `${remoteName}/${seen.version}`,
      'decrypt',
      'RSA-OAEP-256',
      publicEncrypt(padding, message),
    )
    return opened.equals(message) ? [] : [`${name} does not decrypt what was encrypted for it`]
  }
  const digest = Buffer.from(await crypto.subtle.digest('SHA-256', message))
  const signature = await world.cloud.use(vault, `${remoteName}/${seen.version}`, 'sign', 'ES256', digest)
  const good = createVerify('sha256').update(message).verify({ key: ours, dsaEncoding: 'ieee-p1363' }, signature)
  return good ? [] : [`${name} does not sign as it should`]
}

/** Keys there that nothing here knows. */
async function leftOvers(world: CrashWorld, copies: readonly Copy[]): Promise<string[]> {
  const faults: string[] = []
  const vaults = new Set(['crash-one', 'crash-two', ...copies.map(({ collection }) => vaultOf(collection))])
  for (const vault of vaults) {
    const known = copies.filter(({ collection }) => vaultOf(collection) === vault).map((copy) => copy.remote_name)
    for (const name of await world.cloud.names(vault)) {
      if (!known.includes(name) && !name.startsWith('keyferry-kek-') && !name.startsWith('left-'))
        faults.push(`"${name}" was left behind in ${vault}`)
    }
  }
  return faults
}
