import type { Answer } from '../keyferry.ts'
import type { Cloud } from './cloud.ts'
import type { CrashWorld } from './world.ts'

/** Something that somebody asks of a gateway, which is killed on the way. */
export interface Operation {
  name: string
  /** What has to be there before. `id`: of the run, for names. */
  prepare?(world: CrashWorld, id: string): Promise<void>
  /** Asks for it, and gives the answer. The same again, with the same `Idempotency-Key`, where none came. */
  ask(world: CrashWorld, id: string): Promise<Answer>
  /** What the second time may be answered beside success, since the first one was done. */
  doneBefore?: number[]
  /** What is wrong at the end, in sentences. */
  faults(world: CrashWorld, id: string): Promise<string[]>
  /** Nobody asks: it comes by itself. */
  byItself?: true
}

const sign = { purpose: 'sign', protection: 'hsm' }
const keyOf = (id: string) => `keymgmt/key/key-${id}`
const copyIn = (kms: string, id: string) => `keymgmt/kms/${kms}/key/key-${id}`

/** A key with so many versions. */
async function makeKey(world: CrashWorld, id: string, versions = 1, more: object = {}): Promise<void> {
  await world.must('POST', keyOf(id), { type: 'ecdsa-p256', ...more })
  for (let version = 2; version <= versions; version++) await world.must('POST', `${keyOf(id)}/rotate`)
}

async function distributed(world: CrashWorld, id: string, kms: string[], versions = 1): Promise<void> {
  await makeKey(world, id, versions)
  await Promise.all(kms.map((name) => world.must('POST', copyIn(name, id), sign)))
}

/** A mount of its own, with a key in a vault. */
async function mounted(world: CrashWorld, id: string, key: string): Promise<void> {
  await world.must('POST', `sys/mounts/mount-${id}`, { type: 'keymgmt' })
  await world.must('POST', `mount-${id}/kms/one`, world.cloud.kms('crash-one'))
  await world.must('POST', `mount-${id}/key/${key}-${id}`, { type: 'ecdsa-p256' })
  await world.must('POST', `mount-${id}/kms/one/key/${key}-${id}`, sign)
}

/** A key as it should be read, and where it should be. */
async function keyIs(world: CrashWorld, id: string, should: Record<string, unknown>, kms: string[]): Promise<string[]> {
  const { status, body } = await world.call('GET', keyOf(id))
  const faults = status === 200 ? [] : [`reading the key is answered ${status}`]
  for (const [name, value] of Object.entries(should))
    if (body?.data?.[name] !== value) faults.push(`${name} is ${body?.data?.[name]}, not ${value}`)
  const list = await world.call('GET', `${keyOf(id)}/kms?list=true`)
  const found = (list.body?.data?.keys ?? []) as string[]
  if (found.join() !== kms.join()) faults.push(`it is in the KMSs ${found}, not ${kms}`)
  return faults
}

async function isGone(world: CrashWorld, path: string, namespace?: string): Promise<string[]> {
  const { status } = await world.call('GET', path, undefined, namespace === undefined ? {} : { namespace })
  return status === 404 ? [] : [`${path} is answered ${status}`]
}

/** Somebody did something to a key in its vault, and it is put right. */
function repairs(what: string, byHand: (cloud: Cloud, name: string, version: string) => Promise<void>): Operation {
  const kms = (id: string) => `keymgmt/kms/own-${id}`
  return {
    name: `repair what was ${what} by hand`,
    prepare: async (world, id) => {
      await world.must('POST', kms(id), world.cloud.kms('crash-one'))
      await makeKey(world, id, 2)
      await world.must('POST', copyIn(`own-${id}`, id), { ...sign, repair: 'restore' })
      const { body } = await world.must('GET', copyIn(`own-${id}`, id))
      const versions = body?.data?.versions as Record<string, string>
      await byHand(world.cloud, String(body?.data?.name), versions['2'] ?? '')
    },
    ask: (world, id) => world.call('POST', `${kms(id)}/reconcile`),
    faults: (world, id) => keyIs(world, id, { latest_version: 2 }, [`own-${id}`]),
  }
}

export const operations: readonly Operation[] = [
  {
    name: 'make a key',
    ask: (world, id) => world.call('POST', keyOf(id), { type: 'rsa-2048' }, { key: id }),
    faults: (world, id) => keyIs(world, id, { latest_version: 1, min_enabled_version: 1 }, []),
  },
  {
    name: 'distribute a key with two versions',
    prepare: (world, id) => makeKey(world, id, 2),
    ask: (world, id) => world.call('POST', copyIn('one', id), sign, { key: id }),
    faults: (world, id) => keyIs(world, id, { latest_version: 2 }, ['one']),
  },
  {
    name: 'distribute the first key into a vault',
    prepare: async (world, id) => {
      await world.cloud.addVault(`crash-${id}`)
      await world.must('POST', `keymgmt/kms/fresh-${id}`, world.cloud.kms(`crash-${id}`))
      await world.must('POST', keyOf(id), { type: 'rsa-2048' })
    },
    ask: (world, id) =>
      world.call('POST', copyIn(`fresh-${id}`, id), { purpose: 'encrypt,decrypt', protection: 'hsm' }, { key: id }),
    faults: async (world, id) => {
      const faults = await keyIs(world, id, { latest_version: 1 }, [`fresh-${id}`])
      const keks = (await world.cloud.names(`crash-${id}`)).filter((name) => name.startsWith('keyferry-kek-'))
      return keks.length === 1 ? faults : [...faults, `the vault has ${keks.length} key encryption keys`]
    },
  },
  {
    name: 'rotate a key in two vaults',
    prepare: (world, id) => distributed(world, id, ['one', 'two']),
    ask: (world, id) => world.call('POST', `${keyOf(id)}/rotate`, undefined, { key: id }),
    faults: (world, id) => keyIs(world, id, { latest_version: 2 }, ['one', 'two']),
  },
  {
    name: 'rotate a key by its schedule',
    prepare: async (world, id) => {
      await distributed(world, id, ['one'])
      await world.must('POST', keyOf(id), { auto_rotate_period: '24h' })
    },
    ask: async (world, id) => {
      world.write('UPDATE keys SET next_rotation_at = 1 WHERE name = ? AND latest_version = 1', `key-${id}`)
      const end = Date.now() + 20_000
      while (world.rows('SELECT 1 FROM keys WHERE name = ? AND latest_version > 1', `key-${id}`).length === 0) {
        if (Date.now() > end) throw new Error('it was not rotated')
        await new Promise((go) => setTimeout(go, 50))
      }
      return { status: 200, body: undefined }
    },
    faults: (world, id) => keyIs(world, id, { latest_version: 2 }, ['one']),
    byItself: true,
  },
  {
    name: 'disable a version',
    prepare: (world, id) => distributed(world, id, ['one'], 2),
    ask: (world, id) => world.call('POST', keyOf(id), { min_enabled_version: 2 }, { key: id }),
    faults: (world, id) => keyIs(world, id, { latest_version: 2, min_enabled_version: 2 }, ['one']),
  },
  {
    name: 'enable a version',
    prepare: async (world, id) => {
      await distributed(world, id, ['one'], 2)
      await world.must('POST', keyOf(id), { min_enabled_version: 2 })
    },
    ask: (world, id) => world.call('POST', keyOf(id), { min_enabled_version: 1 }, { key: id }),
    faults: (world, id) => keyIs(world, id, { latest_version: 2, min_enabled_version: 1 }, ['one']),
  },
  {
    name: 'remove a key from a vault',
    prepare: (world, id) => distributed(world, id, ['one', 'two']),
    ask: (world, id) => world.call('DELETE', copyIn('one', id), undefined, { key: id }),
    faults: (world, id) => keyIs(world, id, { latest_version: 1 }, ['two']),
  },
  {
    name: 'change what is done about drift',
    prepare: (world, id) => distributed(world, id, ['one']),
    ask: (world, id) => world.call('POST', copyIn('one', id), { ...sign, repair: 'restore' }, { key: id }),
    faults: async (world, id) => {
      const { body } = await world.call('GET', copyIn('one', id))
      return body?.data?.repair === 'restore' ? [] : [`repair is ${body?.data?.repair}`]
    },
  },
  ...[
    repairs('disabled', (cloud, name, version) =>
      cloud.change('crash-one', name, version, { attributes: { enabled: false } }),
    ),
    repairs('changed', (cloud, name, version) => cloud.change('crash-one', name, version, { key_ops: [], tags: {} })),
    repairs('deleted', (cloud, name) => cloud.delete('crash-one', name)),
    repairs('purged', async (cloud, name) => {
      await cloud.delete('crash-one', name)
      await cloud.purge('crash-one', name)
    }),
  ],
  {
    name: 'delete a key',
    prepare: (world, id) => makeKey(world, id, 2, { deletion_allowed: true }),
    ask: (world, id) => world.call('DELETE', keyOf(id), undefined, { key: id }),
    faults: (world, id) => isGone(world, keyOf(id)),
  },
  {
    name: 'write a KMS',
    ask: (world, id) => world.call('POST', `keymgmt/kms/kms-${id}`, world.cloud.kms('crash-one'), { key: id }),
    faults: async (world, id) => {
      await makeKey(world, id)
      await world.must('POST', copyIn(`kms-${id}`, id), sign)
      return await keyIs(world, id, { latest_version: 1 }, [`kms-${id}`])
    },
  },
  {
    name: 'replace the credentials of a KMS',
    prepare: (world, id) => world.must('POST', `keymgmt/kms/kms-${id}`, world.cloud.kms('crash-one')).then(() => {}),
    ask: (world, id) => {
      const { credentials } = world.cloud.kms('crash-one')
      return world.call('POST', `keymgmt/kms/kms-${id}`, { credentials }, { key: id })
    },
    faults: async (world, id) => {
      await makeKey(world, id)
      await world.must('POST', copyIn(`kms-${id}`, id), sign)
      return await keyIs(world, id, { latest_version: 1 }, [`kms-${id}`])
    },
  },
  {
    name: 'delete a KMS',
    prepare: (world, id) => world.must('POST', `keymgmt/kms/kms-${id}`, world.cloud.kms('crash-one')).then(() => {}),
    ask: (world, id) => world.call('DELETE', `keymgmt/kms/kms-${id}`, undefined, { key: id }),
    faults: (world, id) => isGone(world, `keymgmt/kms/kms-${id}`),
  },
  {
    name: 'delete a namespace with its keys in a vault',
    prepare: async (world, id) => {
      const namespace = `ns-${id}`
      await world.must('POST', `sys/namespaces/${namespace}`)
      await world.must('POST', 'sys/mounts/keymgmt', { type: 'keymgmt' }, { namespace }).catch(() => {})
      await world.must('POST', 'keymgmt/kms/one', world.cloud.kms('crash-one'), { namespace })
      await world.must('POST', keyOf(id), { type: 'ecdsa-p256' }, { namespace })
      await world.must('POST', copyIn('one', id), sign, { namespace })
    },
    ask: (world, id) => world.call('DELETE', `sys/namespaces/ns-${id}?remove_remote=true`),
    doneBefore: [404],
    faults: (world, id) =>
      isGone(world, 'sys/mounts', `ns-${id}`).then((faults) => faults.filter((one) => !one.includes('403'))),
  },
  {
    name: 'delete a mount with its keys in a vault',
    prepare: (world, id) => mounted(world, id, 'key'),
    ask: (world, id) => world.call('DELETE', `sys/mounts/mount-${id}?remove_remote=true`),
    doneBefore: [404],
    faults: (world, id) => isGone(world, `mount-${id}/key/key-${id}`),
  },
  {
    name: 'delete a mount, whose keys are left in their vault',
    prepare: (world, id) => mounted(world, id, 'left'),
    ask: (world, id) => world.call('DELETE', `sys/mounts/mount-${id}`),
    doneBefore: [404],
    faults: (world, id) => isGone(world, `mount-${id}/key/left-${id}`),
  },
  {
    name: 'replace the key encryption key of a vault',
    prepare: async (world, id) => {
      await world.cloud.addVault(`crash-${id}`)
      await world.must('POST', `keymgmt/kms/fresh-${id}`, world.cloud.kms(`crash-${id}`))
      await makeKey(world, id)
      await world.must('POST', copyIn(`fresh-${id}`, id), sign)
    },
    ask: (world, id) => world.call('POST', `keymgmt/kms/fresh-${id}/kek/rotate`, undefined, { key: id }),
    faults: async (world, id) => {
      await world.must('POST', `${keyOf(id)}/rotate`)
      const pinned = world.rows(
        `SELECT id FROM wrapping_keys WHERE collection LIKE '%//crash-${id}.%' AND state = 'pinned'`,
      )
      const faults = pinned.length === 1 ? [] : [`${pinned.length} key encryption keys are in use`]
      return [...faults, ...(await keyIs(world, id, { latest_version: 2 }, [`fresh-${id}`]))]
    },
  },
]
