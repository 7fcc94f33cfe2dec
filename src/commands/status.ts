import { type Answer, ask } from '../client/ask.ts'
import { gatewayOf, gatewayOptions } from '../client/gateway.ts'
import { refused } from '../client/refusals.ts'
import { json, type Row, table } from '../client/show.ts'
import { exitCodes } from '../config/exit-codes.ts'
import { parseCommand } from './command.ts'
import { formatOf, formatOption } from './format.ts'

const spec = {
  name: 'status',
  usage: '[FLAGS]',
  about: `Shows how a gateway is: sealed or not, its version, whether it serves. No token is needed. Exits 0 when it is unsealed,
2 when it is sealed or does not answer.`,
  options: { format: formatOption, ...gatewayOptions },
  examples: ['keyferry status', 'keyferry status --address https://keys.example.com:8200 --format json'],
} as const

/** What is shown of sys/seal-status, and under which name; those that Vault's command line shows have its names. */
const shown: readonly (readonly [name: string, field: string])[] = [
  ['Seal Type', 'type'],
  ['Initialized', 'initialized'],
  ['Sealed', 'sealed'],
  ['Version', 'version'],
  ['Storage Type', 'storage_type'],
  ['Cluster Name', 'cluster_name'],
  ['Cluster ID', 'cluster_id'],
]

export async function run(args: string[]): Promise<void> {
  const options = parseCommand(spec, args)
  if (!options) return
  const format = formatOf(spec, options.format)
  const gateway = { ...gatewayOf(options, process.env), token: undefined, namespace: undefined }
  const seal = await ask(gateway, 'GET', 'sys/seal-status')
  if (seal.status >= 400) throw refused(gateway, 'sys/seal-status', seal)
  const health = await ask(gateway, 'GET', 'sys/health')
  const sealed = seal.body?.sealed !== false
  if (format === 'json') {
    console.log(json({ ...seal.body, health: { status: health.status, ...health.body } }))
  } else {
    const rows = shown.flatMap(([name, field]): Row[] => {
      const value = seal.body?.[field]
      return value === undefined || value === '' ? [] : [[name, value]]
    })
    console.log(table([...rows, ['Address', gateway.address.origin], ['Health', inWords(health)]]))
  }
  if (sealed) process.exitCode = exitCodes.refused
}

/** What a load balancer is told, and why where it is not 200. */
function inWords({ status, body }: Answer): string {
  const why = [body?.audit, ...(body?.errors ?? [])].filter((one) => typeof one === 'string').join('; ')
  return status === 200 ? 'serves (200)' : `does not serve all (${status})${why === '' ? '' : `: ${why}`}`
}
