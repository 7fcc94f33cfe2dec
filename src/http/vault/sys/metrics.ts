import { z } from 'zod'
import { invalid } from '../../../core/errors.ts'
import type { AppOptions } from '../../options.ts'
import type { TextAnswer } from '../envelope.ts'
import { unsupportedPath } from '../operation.ts'
import { type PublicCall, systemRoute } from '../route.ts'

/** Of Prometheus' text format, 0.0.4. */
const textFormat = 'text/plain; version=0.0.4; charset=utf-8'

export const metrics = systemRoute('metrics', {
  synopsis: 'Metrics, for Prometheus.',
  description: `
Requests, operations, calls to clouds, keys made ahead of need, audit log, seal, database and process, in Prometheus' text format; there is
no JSON form. In the root namespace only. The same is at /metrics, without a parameter.`,
  read: {
    capability: 'read',
    query: z.object({ format: z.enum(['prometheus']).describe('Must be there.').optional() }),
    answers: { text: 'text/plain' },
    handler: async (call, _params, query) => {
      if (call.namespace.id !== 'root') throw unsupportedPath()
      return await printed(call, query.get('format'))
    },
  },
})

/** Throws `unsupported_path` where there are no metrics, `invalid` for any other format than Prometheus'. */
export async function printed(
  { core, options }: Pick<PublicCall, 'core' | 'options'>,
  format: string | null,
): Promise<TextAnswer> {
  if (!hasMetrics(options)) throw unsupportedPath()
  if (format !== 'prometheus')
    throw invalid('query parameter "format" must be "prometheus": the JSON form of Vault is not there')
  return { text: await options.telemetry.print(core), type: textFormat }
}

function hasMetrics(options: AppOptions): options is AppOptions & { telemetry: object } {
  return options.metrics !== 'off' && options.telemetry !== undefined
}
