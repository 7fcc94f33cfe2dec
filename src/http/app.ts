import { Hono } from 'hono'
import type { Core } from '../core/core.ts'
import { docsRoutes } from '../web/docs/index.ts'
import { errorBody } from './errors.ts'
import { metricsRoutes } from './metrics.ts'
import { counted } from './middleware/counted.ts'
import { oauthRoutes } from './oauth/index.ts'
import { openApiDocument } from './openapi/document.ts'
import { type AppOptions, defaultOptions } from './options.ts'
import { Pipeline } from './pipeline.ts'
import { respondJson, toResponse } from './vault/envelope.ts'

/** What a server tells the app of a request beside the request itself. */
export interface Connected {
  remoteAddress?: string | undefined
}

/**
 * The gateway as a function from request to response: nothing of Node or of a socket in it. Everything under `/v1/` is Vault's wire, and
 * goes through the pipeline, since what is mounted where is only known at the time of a request; `/oauth/` is OAuth's.
 */
export function createApp(core: Core, options: Partial<AppOptions> = {}): Hono<{ Bindings: Connected }> {
  const all = { ...defaultOptions, ...options }
  const pipeline = new Pipeline(core, all)
  const app = new Hono<{ Bindings: Connected }>()
  if (all.metrics !== 'off') app.route('/', metricsRoutes(core, all, pipeline))
  app.all('/v1/*', async (context) => toResponse(await pipeline.answer(context.req.raw, context.env?.remoteAddress)))
  app.route('/', oauthRoutes(core, all))
  app.route('/', docsRoutes())
  const { telemetry, version } = all
  app.get(
    '/openapi.json',
    counted(telemetry, 'openapi.json', (context) => context.json(openApiDocument(version))),
  )
  const unsupported = () => toResponse(respondJson(404, errorBody(['unsupported path: the API is under /v1/'])))
  app.notFound(counted(telemetry, 'other', unsupported))
  return app
}
