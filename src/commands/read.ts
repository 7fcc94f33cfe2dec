import { ask } from '../client/ask.ts'
import { gatewayOf, gatewayOptions } from '../client/gateway.ts'
import { nothingAt, refused } from '../client/refusals.ts'
import { enveloped, show, showOptions, warn } from './answers.ts'
import { atPath } from './at-path.ts'

const spec = {
  name: 'read',
  usage: 'PATH [FLAGS]',
  about: `Shows what is at a path of the gateway: a key, a KMS, a policy, the token in use. The token is that of VAULT_TOKEN, or
of "keyferry login". Exits 2 where there is nothing, or the gateway refuses.`,
  options: { ...showOptions, ...gatewayOptions },
  examples: [
    'keyferry read keymgmt/key/orders',
    'keyferry read --field versions.1.public_key keymgmt/key/orders > orders.pem',
    'keyferry read --format json keymgmt/kms/prod/key/orders',
    'keyferry read auth/token/lookup-self',
  ],
} as const

export async function run(args: string[]): Promise<void> {
  const asked = atPath(spec, args)
  if (!asked) return
  const { options, format, path } = asked
  const gateway = gatewayOf(options, process.env)
  const answer = await ask(gateway, 'GET', path)
  const { status, body } = answer
  if (status === 404 && (body?.errors ?? []).length === 0) throw nothingAt(path)
  if (status >= 400) throw refused(gateway, path, answer)
  warn(answer)
  if (body === undefined) throw nothingAt(path)
  show(enveloped(body), { field: options.field, format })
}
