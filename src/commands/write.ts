import { text } from 'node:stream/consumers'
import { ask } from '../client/ask.ts'
import { FieldError, fieldsOf } from '../client/fields.ts'
import { gatewayOf, gatewayOptions } from '../client/gateway.ts'
import { refused } from '../client/refusals.ts'
import { hasContent, show, showOptions, warn } from './answers.ts'
import { atPath } from './at-path.ts'
import { type CommandSpec, usageError } from './command.ts'

const spec = {
  name: 'write',
  usage: 'PATH [NAME=VALUE ...] [FLAGS]',
  about: `Makes or changes what is at a path of the gateway: a key, a KMS, a distribution, a policy. NAME=@FILE takes a value from
a file and NAME=- from standard input (both keep it out of the list of processes), NAME=\\@TEXT is a text that begins
with "@", and a name that is given again makes a list. "-" or "@FILE" alone is a JSON object with fields.`,
  options: {
    force: { type: 'boolean', help: 'write although no field is given, as a rotation needs' },
    ...showOptions,
    ...gatewayOptions,
  },
  letters: { f: 'force' },
  examples: [
    'keyferry write keymgmt/key/orders type=rsa-3072',
    'keyferry write keymgmt/kms/prod provider=azurekeyvault key_collection=my-vault credentials=tenant_id=TENANT \\',
    '    credentials=client_id=APP credentials=client_secret=SECRET',
    'keyferry write keymgmt/kms/prod/key/orders purpose=encrypt,decrypt protection=hsm',
    'keyferry write -f keymgmt/key/orders/rotate',
    'keyferry write sys/policies/acl/operator policy=@operator.hcl',
  ],
} as const

export async function run(args: string[]): Promise<void> {
  const asked = atPath(spec, args, { takesFields: true })
  if (!asked) return
  const { options, format, path, fields: given } = asked
  if (given.length === 0 && !options.force) {
    throw usageError(spec, 'no field is given: NAME=VALUE behind the path, or --force to write without any')
  }
  const gateway = gatewayOf(options, process.env)
  const answer = await ask(gateway, 'PUT', path, { body: given.length === 0 ? null : await fieldsGiven(spec, given) })
  if (answer.status >= 400) throw refused(gateway, path, answer)
  warn(answer)
  if (hasContent(answer.body)) show(answer.body, { field: options.field, format })
  else if (format === 'table') console.log(`Success! Data written to: ${path}`)
}

/** The fields that a command was given. Throws a `CommandError` (64). */
export async function fieldsGiven(of: CommandSpec, given: readonly string[]): Promise<Record<string, unknown>> {
  try {
    return await fieldsOf(given, () => text(process.stdin))
  } catch (error) {
    throw error instanceof FieldError ? usageError(of, error.message) : error
  }
}
