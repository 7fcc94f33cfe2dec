import { afterEach, beforeEach } from 'vitest'
import type { AuthMountRow } from '../../../../src/core/store.ts'
import { type TestCore, testCore } from '../../../support/gateway.ts'

export const wrong = { code: 'invalid', message: 'invalid role or secret ID' }
export const clock = { now: Date.parse('2030-01-01T00:00:00Z') }
/** What the operator is told. */
export const logged: string[] = []

/** A gateway of each test's own. */
export let gateway: TestCore
/** Its mount `approle/`. */
export let mount: AuthMountRow

/** Opens a gateway before each test, and closes it after it. */
export function openAppRoleDoor(): void {
  beforeEach(async () => {
    logged.length = 0
    gateway = await testCore({
      context: {
        now: () => clock.now,
        log: (_level, message, details) => logged.push(`${message} ${JSON.stringify(details)}`),
      },
    })
    mount = await gateway.core.doors.mounts.enable('root', 'approle', { type: 'approle' })
  })
  afterEach(() => gateway.close())
}

export async function role(name = 'ci', input: Parameters<typeof gateway.core.doors.approle.write>[2] = {}) {
  const { approle, secretIds } = gateway.core.doors
  await approle.write(mount, name, { ...input, token: { policies: ['deploy'], ...input.token } })
  const { row } = await approle.get(mount, name)
  return { roleId: row.roleId ?? '', row, secret: async (more = {}) => await secretIds.create(mount, name, more) }
}

export const login = (roleId: string, secretId: string, remoteAddress?: string) =>
  gateway.core.doors.approleLogin.login(mount, { roleId, secretId, ...(remoteAddress ? { remoteAddress } : {}) })
