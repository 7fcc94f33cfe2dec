import { afterAll, beforeAll, expect } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { type TestCore, testCore } from '../support/gateway.ts'
import { type TestIssuer, testIssuer } from '../support/issuer.ts'

interface Answer {
  status: number
  body: Record<string, never> & { [name: string]: unknown }
  headers: Headers
}

/** The gateway of a test file, once `serveDoors` has begun. */
export let gateway: TestCore
/** An issuer of JWTs that the gateway may ask. */
export let issuer: TestIssuer
let app: ReturnType<typeof createApp>
/** How much later than it is the gateway thinks that it is, in ms. */
export const clock = { skip: 0 }

/** Serves before the tests of the file, and closes after them. */
export function serveDoors(): void {
  beforeAll(async () => {
    issuer = await testIssuer()
    gateway = await testCore({
      context: { now: () => Date.now() + clock.skip },
      issuerDocuments: { allowedHosts: [issuer.host], timeoutMs: 30_000 },
    })
    app = createApp(gateway.core)
  })
  afterAll(async () => {
    await gateway.close()
    await issuer.close()
  })
}

export async function ask(
  method: string,
  path: string,
  body?: unknown,
  {
    headers = {},
    from,
    token = gateway.rootToken,
  }: { headers?: Record<string, string>; from?: string; token?: string | null } = {},
): Promise<Answer> {
  const response = await app.request(
    `https://gateway.test/${path}`,
    {
      method,
      headers: { ...(token === null ? {} : { 'x-vault-token': token }), ...headers },
      ...(body === undefined ? {} : { body: body instanceof URLSearchParams ? body : JSON.stringify(body) }),
    },
    { remoteAddress: from },
  )
  const text = await response.text()
  return { status: response.status, body: text === '' ? {} : JSON.parse(text), headers: response.headers }
}

/** By the clock of the gateway. */
export const sign = async (claims: Record<string, unknown>) => {
  const now = Math.floor((Date.now() + clock.skip) / 1000)
  return await issuer.sign({ iat: now, exp: now + 300, ...claims })
}
export const data = (answer: Answer): Record<string, unknown> => answer.body.data as never
export const auth = (answer: Answer): Record<string, unknown> => answer.body.auth as never
export const errors = (answer: Answer): unknown => [
  answer.status,
  ...((answer.body.errors as string[] | undefined) ?? []),
]
export const inside = (namespace: string) => ({ headers: { 'x-vault-namespace': namespace } })

/** Enables AppRole at a path and makes a role; gives its ids. */
export async function appRole(mount: string, role: string, fields: object = {}, options = {}) {
  expect((await ask('POST', `v1/sys/auth/${mount}`, { type: 'approle' }, options)).status).toBe(204)
  expect(
    (await ask('POST', `v1/auth/${mount}/role/${role}`, { token_policies: 'deploy,read', ...fields }, options)).status,
  ).toBe(204)
  const { role_id } = data(await ask('GET', `v1/auth/${mount}/role/${role}/role-id`, undefined, options))
  const { secret_id } = data(await ask('PUT', `v1/auth/${mount}/role/${role}/secret-id`, {}, options))
  return { role_id: String(role_id), secret_id: String(secret_id) }
}

/** Configures the mount `jwt/` with the issuer, and makes its role `ci`. */
export async function configureJwt(): Promise<void> {
  await ask('POST', 'v1/sys/auth/jwt', { type: 'jwt' })
  const config = {
    oidc_discovery_url: issuer.url,
    oidc_discovery_ca_pem: issuer.ca,
    default_role: 'ci',
    oidc_client_id: 'x',
  }
  const answer = await ask('POST', 'v1/auth/jwt/config', config)
  expect(answer).toMatchObject({ status: 200, body: { warnings: [expect.stringContaining('no login by browser')] } })
  const role = {
    role_type: 'jwt',
    user_claim: 'sub',
    bound_audiences: 'keyferry',
    bound_claims: { env: ['prod', 'test'], team: 'a' },
    claim_mappings: { env: 'environment' },
    token_policies: ['deploy', 'read'],
    ttl: '5m',
  }
  expect((await ask('POST', 'v1/auth/jwt/role/ci', role)).status).toBe(204)
}
