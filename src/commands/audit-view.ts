import { once } from 'node:events'
import { CommandError, exitCodes } from '../config/exit-codes.ts'
import { isInView } from '../core/audit/view.ts'
import { linesOf } from './audit-lines.ts'
import { parseWithOperands, required, usageError } from './command.ts'

const spec = {
  name: 'audit view',
  usage: 'FILE [FILE...] --namespace PATH [--below]',
  about: `Prints the lines of an audit log that are of one namespace, as they are, to be handed to its tenant: its requests, their
answers, and the calls to clouds that it caused. Exits 65 when a line is of no audit log; "keyferry audit verify" checks the rest.`,
  options: {
    namespace: { type: 'string', value: 'PATH', help: 'the namespace; "root" is the root' },
    below: { type: 'boolean', help: 'of the namespaces below it as well' },
  },
  examples: [
    'keyferry audit view --namespace payments /var/log/keyferry/audit.log > payments.log',
    'keyferry audit view --namespace payments --below audit.log.1 audit.log',
  ],
} as const

export async function run(args: string[]): Promise<void> {
  const parsed = parseWithOperands(spec, args)
  if (!parsed) return
  const { options, operands } = parsed
  if (operands.length === 0) throw usageError(spec, 'the audit log is missing')
  const namespace = required(spec, 'namespace', options.namespace).replace(/^\/+|\/+$/g, '')
  const view = { namespace: namespace === 'root' ? '' : namespace, below: options.below ?? false }
  let strange = 0
  for await (const line of linesOf(operands)) {
    if (line === '') continue
    const mine = isInView(line, view)
    if (mine === undefined) strange += 1
    else if (mine && !process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain')
  }
  if (strange > 0) throw new CommandError(exitCodes.data, `left out: ${strange} that are not lines of an audit log`)
}
