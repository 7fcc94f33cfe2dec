import { ask } from '../client/ask.ts'
import { gatewayOf, gatewayOptions } from '../client/gateway.ts'
import { refused } from '../client/refusals.ts'
import { hasContent, show, warn } from './answers.ts'
import { atPath } from './at-path.ts'
import { formatOption } from './format.ts'

const spec = {
  name: 'delete',
  usage: 'PATH [FLAGS]',
  about: `Deletes what is at a path of the gateway. Of what is not there, that is a success too. A key can be deleted once it was
written with deletion_allowed=true and is in no KMS any more.`,
  options: { format: formatOption, ...gatewayOptions },
  examples: ['keyferry delete keymgmt/kms/prod/key/orders', 'keyferry delete keymgmt/key/orders'],
} as const

export async function run(args: string[]): Promise<void> {
  const asked = atPath(spec, args)
  if (!asked) return
  const { options, format, path } = asked
  const gateway = gatewayOf(options, process.env)
  const answer = await ask(gateway, 'DELETE', path)
  if (answer.status >= 400) throw refused(gateway, path, answer)
  warn(answer)
  if (hasContent(answer.body)) show(answer.body, { field: undefined, format })
  else if (format === 'table') console.log(`Success! Data deleted (if it existed) at: ${path}`)
}
