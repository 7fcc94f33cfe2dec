import type { Context } from 'hono'
import type { Connected } from '../app.ts'
import type { RequestTelemetry } from '../options.ts'

type Handle = (context: Context<{ Bindings: Connected }>) => Response | Promise<Response>

/** A handler that does not go through the pipeline, which counts by itself. `route`: as it is named in the metrics. */
export function counted(telemetry: RequestTelemetry | undefined, route: string, handle: Handle): Handle {
  if (!telemetry) return handle
  return async (context) => {
    const begun = telemetry.begun()
    let status = 500
    try {
      const response = await handle(context)
      status = response.status
      return response
    } finally {
      telemetry.ended(begun, route, context.req.method, status)
    }
  }
}
