import type { Context as HonoContext } from 'hono'
import { Hono } from 'hono'
import type { Core } from '../../core/core.ts'
import type { Connected } from '../app.ts'
import type { AppOptions } from '../options.ts'
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
    const { raw } = context.req
    try {
      return await handle(await readOAuthRequest(core, options, raw, context.env?.remoteAddress))
    } catch (error) {
      return oauthFailure(error, core.context.uuid(), core.context.log)
    }
  }
  app.post('/oauth/token', post(token))
  app.post('/oauth/introspect', post(introspect))
  app.post('/oauth/revoke', post(revoke))
  app.get('/oauth/jwks', async () => oauthAnswer(await core.doors.oauth.jwks(), publicHeaders))
  // By the host that was asked, so not to be kept for others.
  app.get('/.well-known/oauth-authorization-server', (context) =>
    oauthAnswer(metadata(new URL(context.req.url).origin)),
  )
  app.all('/oauth/*', () =>
    oauthFailure(
      new OAuthError('invalid_request', 'unsupported path or method'),
      core.context.uuid(),
      core.context.log,
    ),
  )
  return app
}
