import { once } from 'node:events'
import { statSync } from 'node:fs'
import { CommandError, exitCodes } from '../config/exit-codes.ts'
import { isInView, placeOf, type View } from '../core/audit/view.ts'
import { linesOf } from './audit-lines.ts'
import { parseWithOperands, required, usageError } from './command.ts'

const spec = {
  name: 'audit view',
  usage: 'FILE [FILE...] --namespace PATH [--below] [--id ID[,ID...]]',
  about: `Prints the lines of an audit log that are of one namespace, as they are, to be handed to its tenant: its requests, their
answers, and the calls to clouds that it caused. Where the path was that of a namespace that is deleted, and then of another,
--id says which one's lines are wanted. Exits 65 when a line is of no audit log; "keyferry audit verify" checks the rest.`,
  options: {
    namespace: { type: 'string', value: 'PATH', help: 'the namespace; "root" is the root' },
    below: { type: 'boolean', help: 'of the namespaces below it as well' },
    id: { type: 'string', value: 'ID,...', help: 'of namespaces with these ids only' },
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
  const asked: View = {
    namespace: namespace === 'root' ? '' : namespace,
    below: options.below ?? false,
    ids: options.id?.split(',') ?? [],
  }
  const view = asked.ids.length > 0 ? asked : { ...asked, ids: await idsOf(operands, asked) }
  let strange = 0
  for await (const line of linesOf(operands)) {
    if (line === '') continue
    const place = placeOf(line)
    if (!place) strange += 1
    // Of none, where there was no line at the first reading.
    else if (view.ids.length > 0 && isInView(place, view) && !process.stdout.write(`${line}\n`))
      await once(process.stdout, 'drain')
  }
  if (strange > 0) throw new CommandError(exitCodes.data, `left out: ${strange} that are not lines of an audit log`)
}

/** The ids of the namespaces in a view. Throws a `CommandError` (64) where two had the same path: one tenant's lines are not the other's. */
async function idsOf(files: readonly string[], view: View): Promise<string[]> {
  const piped = files.find((file) => statSync(file, { throwIfNoEntry: false })?.isFile() === false)
  if (piped !== undefined)
    throw usageError(spec, `${piped} is no file that can be read twice, to see whose lines it has: --id is missing`)
  const known = new Map<string, Map<string, string>>()
  for await (const line of linesOf(files)) {
    const place = placeOf(line)
    if (!place || !isInView(place, view)) continue
    const ids = known.get(place.path) ?? new Map<string, string>()
    known.set(place.path, ids.set(place.id, place.time))
  }
  for (const [path, ids] of known) {
    if (ids.size === 1) continue
    const each = [...ids].map(([id, until]) => `${id} (last line ${until})`).join(', ')
    throw usageError(
      spec,
      `"${path}" was the path of ${ids.size} namespaces, one after the other: ${each}. --id is missing`,
    )
  }
  return [...known.values()].flatMap((ids) => [...ids.keys()])
}
