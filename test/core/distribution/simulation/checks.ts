import { createPublicKey } from 'node:crypto'
import type { Expected } from './life.ts'
import type { World } from './world.ts'

interface Copy {
  id: string
  key: string
  kms: string
  remote_name: string
  collection: string
  state: string
  reason: string | null
}

/** What is wrong at the end, in sentences: here, there and between the two. */
export function faultsAtTheEnd(world: World, lives: readonly Expected[]): string[] {
  const copies = world.rows(
    `SELECT copies.id, keys.name AS key, kms.name AS kms, remote_name, collection, state, reason FROM copies
     LEFT JOIN keys ON keys.id = key_id LEFT JOIN kms ON kms.id = kms_id`,
  ) as unknown as Copy[]
  return [
    ...world.violations,
    ...lives.flatMap((life) => [...keyFaults(world, life), ...copyFaults(life, copies)]),
    ...copies.flatMap((copy) => deliveryFaults(world, copy)),
    ...leftOvers(world, copies),
  ]
}

/** Every version that was answered for is there once, without a gap, and none that nobody asked for. */
function keyFaults(world: World, life: Expected): string[] {
  const [key] = world.rows(`SELECT * FROM keys WHERE name = '${life.name}'`)
  if (life.key === 'deleted') return key ? [`${life.name} was deleted and is there`] : []
  if (!key) return [`${life.name} is lost`]
  const versions = world
    .rows(`SELECT version FROM key_versions WHERE key_id = '${key.id}' ORDER BY version`)
    .map((row) => Number(row.version))
  const faults: string[] = []
  if (versions.join() !== Array.from({ length: Number(key.latest_version) }, (_, index) => index + 1).join())
    faults.push(`${life.name} has the versions ${versions.join()}, and the latest is said to be ${key.latest_version}`)
  for (const version of life.versions)
    if (!versions.includes(version)) faults.push(`${life.name} lost version ${version}`)
  if (versions.length > life.versions.size + life.mayBe)
    faults.push(
      `${life.name} has ${versions.length} versions, asked for were ${life.versions.size} to ${life.versions.size + life.mayBe}`,
    )
  if (!life.minEnabled.has(Number(key.min_enabled_version)))
    faults.push(
      `${life.name} has min_enabled_version ${key.min_enabled_version}, not ${[...life.minEnabled].join(' or ')}`,
    )
  return faults
}

/** A key is in a KMS exactly where that was answered. */
function copyFaults(life: Expected, copies: readonly Copy[]): string[] {
  return [...life.kms].flatMap(([kms, expected]) => {
    const found = copies.filter((copy) => copy.kms === kms)
    if (found.length > 1) return [`${life.name} is in ${kms} ${found.length} times`]
    if (expected === 'present' && found.length === 0) return [`${life.name} is forgotten in ${kms}`]
    if (expected === 'absent' && found.length > 0) return [`${life.name} is still in ${kms}`]
    return []
  })
}

/** What is there is what is here: every version once, with our public key, in the right state, the newest last. */
function deliveryFaults(world: World, copy: Copy): string[] {
  const faults: string[] = []
  const name = `${copy.key} in ${copy.kms}`
  if (!copy.key || !copy.kms) return [`a removal was never ended: ${copy.remote_name}, ${copy.reason}`]
  if (copy.state !== 'settled') faults.push(`${name} is ${copy.state}: ${copy.reason}`)
  const here = world.rows(
    `SELECT copy_versions.version, remote_version, public_key, copy_versions.version >= min_enabled_version AS enabled
     FROM copy_versions JOIN copies ON copies.id = copy_id JOIN keys ON keys.id = copies.key_id
     JOIN key_versions ON key_versions.key_id = keys.id AND key_versions.version = copy_versions.version
     WHERE copy_id = '${copy.id}' ORDER BY copy_versions.version`,
  )
  const [count] = world.rows(`SELECT latest_version FROM keys WHERE name = '${copy.key}'`)
  if (here.length !== count?.latest_version)
    faults.push(`${name} knows ${here.length} of ${count?.latest_version} versions`)
  const there = world.clouds.get(copy.collection.replace('memory://', ''))?.keys.get(copy.remote_name) ?? []
  if (there.length !== here.length) faults.push(`${name} has ${there.length} versions there and ${here.length} here`)
  for (const row of here) {
    const found = there.find((version) => version.remoteVersion === row.remote_version)
    const ours = createPublicKey(String(row.public_key)).export({ type: 'spki', format: 'der' })
    if (!found) faults.push(`${name}: version ${row.version} is not there`)
    else if (!found.publicKey?.equals(ours)) faults.push(`${name}: version ${row.version} is another key there`)
    else if (found.tags?.team !== copy.key || found.labelled === false)
      faults.push(`${name}: version ${row.version} bears the tags ${JSON.stringify(found.tags)}`)
    // Of no account while it is disabled, and not looked for.
    else if (found.enabled && found.purposes?.join() !== 'sign')
      faults.push(`${name}: version ${row.version} may be used for ${found.purposes}`)
    else if (found.enabled !== (row.enabled === 1))
      faults.push(`${name}: version ${row.version} should be the other state`)
  }
  if (there.at(-1)?.remoteVersion !== here.at(-1)?.remote_version)
    faults.push(`${name}: the newest is not the current one`)
  return faults
}

/** Nothing is left of what is gone, and what is somebody else's is as it was. */
function leftOvers(world: World, copies: readonly Copy[]): string[] {
  const faults: string[] = []
  for (const [cloud, { keys }] of world.clouds) {
    for (const [name, versions] of keys) {
      const stranger = versions.length === 1 && versions[0]?.remoteVersion === `stranger-${name}` && versions[0].enabled
      const ours = copies.some((copy) => copy.remote_name === name && copy.collection === `memory://${cloud}`)
      if (!stranger && !ours) faults.push(`"${name}" was left behind in ${cloud}`)
    }
  }
  const names = world.rows('SELECT collection, name FROM remote_names').map((row) => `${row.collection}/${row.name}`)
  const held = copies.map((copy) => `${copy.collection}/${copy.remote_name}`)
  if (names.sort().join() !== held.sort().join())
    faults.push(`names are reserved that nobody uses: ${names}, not ${held}`)
  const open = world.rows("SELECT kind, copy_id FROM operations WHERE state = 'pending'")
  for (const row of open) faults.push(`an operation to ${row.kind} never ended`)
  const orphans = world.rows('SELECT copy_id FROM copy_versions WHERE copy_id NOT IN (SELECT id FROM copies)')
  if (orphans.length > 0) faults.push(`${orphans.length} versions of copies that are gone`)
  return faults
}
