import { type Context, Hono } from 'hono'
import type { Core } from '../core/core.ts'
import type { Connected } from './app.ts'
import { respondError } from './errors.ts'
import { counted } from './middleware/counted.ts'
import type { AppOptions } from './options.ts'
import type { Pipeline } from './pipeline.ts'
import { type Respond, type TextAnswer, toResponse } from './vault/envelope.ts'
import { printed } from './vault/sys/metrics.ts'

type Env = { Bindings: Connected }

/** How long the same is answered where anybody may ask, in ms: printing takes a while, the longer the more tenants there are. */
const keptMs = 1_000

/**
 * `/metrics`, where Prometheus looks unless told otherwise: the same as `sys/metrics` of the root namespace, with the same right asked for.
 * Where metrics are open to everybody, both are, and neither is recorded. To be mounted at the root, before `/v1/`.
 */
export function metricsRoutes(core: Core, options: AppOptions, pipeline: Pipeline): Hono<Env> {
  const app = new Hono<Env>()
  if (options.metrics === 'open') {
    const print = kept(core, () => printed({ core, options }, 'prometheus'))
    const open = (formatOf: (context: Context<Env>) => string | null) =>
      counted(options.telemetry, 'sys/metrics', async (context) =>
        toResponse(await answer(core, options, context, formatOf(context), print)),
      )
    app.get(
      '/metrics',
      open(() => 'prometheus'),
    )
    app.get(
      '/v1/sys/metrics',
      open(({ req }) => req.query('format') ?? null),
    )
  } else {
    app.get('/metrics', async (context) =>
      toResponse(await pipeline.answer(asVaults(context), context.env?.remoteAddress)),
    )
  }
  return app
}

/** Prints once in a while, however many ask. */
function kept({ context }: Core, print: () => Promise<TextAnswer>): () => Promise<TextAnswer> {
  let last: { at: number; text: Promise<TextAnswer> } | undefined
  return () => {
    const age = context.now() - (last?.at ?? Number.NEGATIVE_INFINITY)
    // A clock may be set back.
    if (last && age >= 0 && age < keptMs) return last.text
    const text = print()
    last = { at: context.now(), text }
    text.catch(() => {
      if (last?.text === text) last = undefined
    })
    return text
  }
}

async function answer(
  core: Core,
  options: AppOptions,
  { req }: Context<Env>,
  format: string | null,
  print: () => Promise<TextAnswer>,
): Promise<Respond> {
  try {
    const { text, type } = await (format === 'prometheus' ? print() : printed({ core, options }, format))
    return { status: 200, body: text, type }
  } catch (error) {
    const failed = {
      requestId: core.context.uuid(),
      method: req.method,
      path: 'sys/metrics',
      operation: 'read',
    } as const
    return respondError(error, failed, core.context.log)
  }
}

/** The request for the same at Vault's path: nothing of it but who asks. */
function asVaults({ req }: Context<Env>): Request {
  const url = new URL('/v1/sys/metrics?format=prometheus', req.url)
  const headers = new Headers()
  for (const name of ['x-vault-token', 'authorization']) {
    const value = req.header(name)
    if (value !== undefined) headers.set(name, value)
  }
  return new Request(url, { method: 'GET', headers })
}
