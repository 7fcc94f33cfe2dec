import { ask } from '../client/ask.ts'
import { gatewayOf, gatewayOptions } from '../client/gateway.ts'
import { print } from '../client/print.ts'
import { nothingAt, refused } from '../client/refusals.ts'
import { json, list } from '../client/show.ts'
import { warn } from './answers.ts'
import { atPath } from './at-path.ts'
import { formatOption } from './format.ts'

const spec = {
  name: 'list',
  usage: 'PATH [FLAGS]',
  about: `Shows the names below a path of the gateway; JSON is a list of them. Exits 2 where there are none, or the gateway
refuses.`,
  options: { format: formatOption, ...gatewayOptions },
  examples: [
    'keyferry list keymgmt/key',
    'keyferry list keymgmt/kms/prod/key',
    'keyferry list --format json sys/namespaces',
  ],
} as const

export async function run(args: string[]): Promise<void> {
  const asked = atPath(spec, args)
  if (!asked) return
  const { options, format, path } = asked
  const gateway = gatewayOf(options, process.env)
  const answer = await ask(gateway, 'GET', path, { query: { list: 'true' } })
  const { status, body } = answer
  if (status === 404 && (body?.errors ?? []).length === 0) throw nothingAt(path)
  if (status >= 400) throw refused(gateway, path, answer)
  warn(answer)
  const names = body?.data?.keys
  if (!Array.isArray(names)) throw nothingAt(path)
  print(`${format === 'json' ? json(names) : list(names)}\n`)
}
