import type { Context as HonoContext } from 'hono'
import { Hono } from 'hono'
import type { Core } from '../../core/core.ts'
import type { Connected } from '../app.ts'
import { tokenOf } from '../middleware/authenticate.ts'
import { counted } from '../middleware/counted.ts'
import { Trail } from '../middleware/trail.ts'
import type { AppOptions } from '../options.ts'
import { clientCredentials } from './client.ts'
import { OAuthError, oauthAnswer, oauthFailure } from './errors.ts'
import { type OAuthRequest, readOAuthRequest } from './incoming.ts'
import { introspect, revoke } from './introspect.ts'
import { metadata } from './metadata.ts'
import { token } from './token.ts'

type Env = { Bindings: Connected }

/** What is read by everybody, and may be kept for a while: keys of a new rotation are published before they sign. */
const publicHeaders = { 'content-type': 'application/json', 'cache-control': 'public, max-age=300' }

/** The same doors as `/v1/auth/…/login`, in OAuth's words: to be mounted at the root. */
export function oauthRoutes(core: Core, options: AppOptions): Hono<Env> {
  const app = new Hono<Env>()
  const post = (handle: (request: OAuthRequest) => Promise<Response>) => async (context: HonoContext<Env>) => {
    const { raw, path } = context.req
    const [id, remoteAddress] = [core.context.uuid(), context.env?.remoteAddress]
    const about = { id, path: path.slice(1), remoteAddress, token: tokenOf(raw.headers) }
    const trail = new Trail(core.audit, about)
    trail.operation('write')
    let response: Response
    try {
      const request = await readOAuthRequest(core, options, raw, remoteAddress)
      trail.sent(recorded(request), undefined)
      if (request.namespace) trail.place(request.namespace, about.path, 'oauth/', 'oauth')
      await trail.begin()
      response = await handle(request)
    } catch (error) {
      response = oauthFailure(error, id, core.context.log)
    }
    if (!core.audit.on) return response
    try {
      // Before it leaves: what cannot be recorded is not told either.
      await trail.end({ status: response.status, body: await response.clone().text() })
      return response
    } catch (error) {
      return oauthFailure(error, id, core.context.log)
    }
  }
  const { telemetry } = options
  app.post('/oauth/token', counted(telemetry, 'oauth/token', post(token)))
  app.post('/oauth/introspect', counted(telemetry, 'oauth/introspect', post(introspect)))
  app.post('/oauth/revoke', counted(telemetry, 'oauth/revoke', post(revoke)))
  const jwks = async () => oauthAnswer(await core.doors.oauth.jwks(), publicHeaders)
  app.get('/oauth/jwks', counted(telemetry, 'oauth/jwks', jwks))
  const server = ({ req }: HonoContext<Env>) => {
    const { publicUrl } = options
    if (publicUrl !== undefined) return oauthAnswer(metadata(new URL(publicUrl).origin), publicHeaders)
    // By the host that was asked, so not to be kept for others.
    return oauthAnswer(metadata(new URL(req.url).origin))
  }
  app.get('/.well-known/oauth-authorization-server', counted(telemetry, 'oauth/metadata', server))
  const unsupported = () =>
    oauthFailure(new OAuthError('invalid_request', 'unsupported path or method'), core.context.uuid(), core.context.log)
  app.all('/oauth/*', counted(telemetry, 'other', unsupported))
  return app
}

/** What the audit log says was sent: the form, and which client it was where Basic names it. */
function recorded(request: OAuthRequest): Record<string, unknown> {
  const client = clientCredentials(request)?.roleId
  return { ...Object.fromEntries(request.form), ...(client === undefined ? {} : { client_id: client }) }
}
