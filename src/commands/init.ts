import { resolve } from 'node:path'
import { parseCommand, required } from './command.ts'
import { makeDataFolder } from './data-folder.ts'
import { formatOf, formatOption } from './format.ts'

const spec = {
  name: 'init',
  usage: '--data DIR [--format table|json]',
  about: `Makes a data folder: the root key (root.key, mode 0600) and the database (keyferry.db). Prints the first root
token, this once, as the last line. Keep a copy of root.key in another place: without it nothing in the database
can be opened again, by anybody.`,
  options: {
    data: { type: 'string', value: 'DIR', help: 'the folder to make; it must not exist, or be empty' },
    format: { ...formatOption, help: 'table (unless told), for people, or json: one line with root_token' },
  },
  examples: ['keyferry init --data /var/lib/keyferry', 'keyferry init --data ./data --format json | jq -r .root_token'],
} as const

export async function run(args: string[]): Promise<void> {
  const options = parseCommand(spec, args)
  if (!options) return
  const data = required(spec, 'data', options.data ?? process.env.KEYFERRY_DATA)
  const format = formatOf(spec, options.format)
  const token = await makeDataFolder(data)
  if (format === 'json') {
    console.log(JSON.stringify({ data: resolve(data), root_token: token }))
    return
  }
  console.log(`Made ${resolve(data)} with a new root key (root.key) and a database (keyferry.db).

Keep a copy of root.key in another place: without it nobody can open what the database holds.
Start the gateway:  keyferry serve --data ${data} --listen 127.0.0.1:8200

The first root token, shown this once:
${token}`)
}
