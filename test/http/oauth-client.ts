import { beforeAll } from 'vitest'
import { appRole, ask, configureJwt, inside, serveDoors, sign } from './doors-gateway.ts'

/** The ids of a role of AppRole, which are a client's of OAuth. */
export let client: { role_id: string; secret_id: string }

/** Serves before the tests of the file, with a client, the door `jwt/`, and a namespace that is not the client's. */
export function oauthClient(): void {
  serveDoors()
  beforeAll(async () => {
    await configureJwt()
    // A namespace with an AppRole of its own, which is no business of this client.
    await ask('PUT', 'v1/sys/namespaces/alpha', {})
    await appRole('approle', 'ci', {}, inside('alpha'))
    client = await appRole('oauth', 'app', { token_ttl: '10m' })
  })
}

export const post = async (
  path: string,
  form: Record<string, string> | string[][],
  headers: Record<string, string> = {},
) => await ask('POST', path, new URLSearchParams(form), { token: null, headers })
export const inForm = () => ({ client_id: client.role_id, client_secret: client.secret_id })
export const basic = (id = client.role_id, secret = client.secret_id) => ({
  authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`,
})
export const grant = { grant_type: 'client_credentials' }
export const exchange = async (more: Record<string, string> = {}, claims = {}) => ({
  grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
  subject_token: await sign({ env: 'prod', team: 'a', ...claims }),
  subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  ...more,
})
