import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import type { JwtConfig } from '../../../../src/core/access/doors/jwt/config.ts'
import type { JwtRoleInput } from '../../../../src/core/access/doors/jwt/role.ts'
import type { AuthMountRow } from '../../../../src/core/store.ts'
import { type TestCore, testCore } from '../../../support/gateway.ts'
import { type TestIssuer, testIssuer } from '../../../support/issuer.ts'

export const refused = { code: 'invalid', message: 'the JWT or the role is not accepted' }

/** An issuer of JWTs that the gateway may ask, once `openJwtDoor` has begun. */
export let issuer: TestIssuer
/** A gateway of each test's own, with the mount `jwt/`. */
export let gateway: TestCore
/** How much later than it is the gateway thinks that it is, in ms. */
export const clock = { skip: 0 }

/** What the operator is told. */
export const logged: { message: string; details: unknown }[] = []

/** Has an issuer for the tests of the file, and a gateway for each of them. */
export function openJwtDoor(): void {
  beforeAll(async () => {
    issuer = await testIssuer()
  })
  afterAll(() => issuer.close())

  beforeEach(async () => {
    clock.skip = 0
    logged.length = 0
    issuer.asked.length = 0
    gateway = await testCore({
      context: {
        now: () => Date.now() + clock.skip,
        log: (_level, message, details) => void logged.push({ message, details }),
      },
      issuerDocuments: { allowedHosts: [issuer.host], timeoutMs: 30_000 },
    })
    await gateway.core.doors.mounts.enable('root', 'jwt', { type: 'jwt' })
  })
  afterEach(async () => {
    issuer.instead.clear()
    await gateway.close()
  })
}

/** As it is now: what is configured changes the row. */
export const mount = async (): Promise<AuthMountRow> => await gateway.core.doors.mounts.at('root', 'jwt')
export const configure = async (config: Partial<JwtConfig> = {}) =>
  await gateway.core.doors.jwt.configure(await mount(), {
    oidcDiscoveryUrl: issuer.url,
    oidcDiscoveryCaPem: issuer.ca,
    defaultRole: 'ci',
    ...config,
  })
export const role = async (input: JwtRoleInput = {}, name = 'ci') =>
  await gateway.core.doors.jwt.write(await mount(), name, {
    userClaim: 'sub',
    boundAudiences: ['keyferry'],
    ...input,
    token: { policies: ['deploy'], ...input.token },
  })
export const login = async (jwt: string, name = '', remoteAddress?: string) =>
  await gateway.core.doors.jwtLogin.login(await mount(), {
    jwt,
    role: name,
    ...(remoteAddress ? { remoteAddress } : {}),
  })
