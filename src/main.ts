import type { Command } from './commands/command.ts'
import { CommandError, exitCodeOf, exitCodes } from './config/exit-codes.ts'
import { didYouMean } from './config/nearest.ts'
import { KeyferryError } from './core/errors.ts'

interface Entry {
  summary: string
  /** For the help of all: those to begin with. Each command's own help has more. */
  example?: string
  /** Commands are loaded when they are called, so that help and start are quick. */
  load(): Promise<Command>
}

const commands: Readonly<Record<string, Entry>> = {
  dev: {
    summary: 'a gateway to try things on, with a Key Vault emulator inside',
    example: 'keyferry dev --listen 127.0.0.1:0 --env-file ./dev.env',
    load: () => import('./commands/dev.ts'),
  },
  init: {
    summary: 'make a data folder, and print the first root token',
    example: 'keyferry init --data /var/lib/keyferry',
    load: () => import('./commands/init.ts'),
  },
  serve: {
    summary: 'run the gateway on a data folder',
    example: 'keyferry serve --data /var/lib/keyferry --listen 127.0.0.1:8200',
    load: () => import('./commands/serve.ts'),
  },
  audit: {
    summary: 'check that an audit log is whole and unchanged',
    load: () => import('./commands/audit.ts'),
  },
  backup: {
    summary: 'write an encrypted backup, while the gateway serves',
    load: () => import('./commands/backup.ts'),
  },
  restore: {
    summary: 'make a data folder out of a backup',
    load: () => import('./commands/restore.ts'),
  },
  release: {
    summary: 'let a restored gateway work on copies in clouds again',
    load: () => import('./commands/release.ts'),
  },
  'rotate-root': {
    summary: 'put another root key in the place of the present one',
    load: () => import('./commands/rotate-root.ts'),
  },
  doctor: {
    summary: 'look at a KMS or a data folder: what is wrong, what to do',
    load: () => import('./commands/doctor.ts'),
  },
  emulator: {
    summary: 'run the Key Vault emulator alone, for your own tests',
    load: () => import('./commands/emulator.ts'),
  },
}

function help(): string {
  const entries = Object.entries(commands)
  const width = Math.max(...entries.map(([name]) => name.length)) + 2
  return `keyferry makes keys on your own ground and ferries them into cloud KMSs.

Usage: keyferry COMMAND [FLAGS], keyferry COMMAND --help, keyferry --version

${entries.map(([name, { summary }]) => `  ${name.padEnd(width)}${summary}`).join('\n')}

Examples:
${entries.flatMap(([, { example }]) => (example === undefined ? [] : [`  ${example}`])).join('\n')}

Exit codes: 0 done; 64 wrong usage; 65 the database is damaged or not of this
root key; 69 a port or the database is in use; 73 a file cannot be made; 78 a
setting or the data folder is not right; 1 a fault of the program.`
}

/**
 * The command line: runs the command that `args` name and ends the process with its exit code. `args` are those after the name of
 * the program.
 */
export async function main(args: string[]): Promise<void> {
  try {
    await dispatch(args)
  } catch (thrown) {
    const { unexplained } = await import('./store/sqlite/errors.ts')
    const error = unexplained(thrown) ?? thrown
    report(error)
    process.exit(exitCodeOf(error))
  }
}

async function dispatch(args: string[]): Promise<void> {
  const [name, ...rest] = args
  if (name === undefined || name === '--help' || name === '-h' || (name === 'help' && rest.length === 0)) {
    console.log(help())
    if (name === undefined) process.exitCode = exitCodes.usage
    return
  }
  if (name === '--version' || name === '-v') {
    const { version } = await import('./version.ts')
    console.log(`keyferry ${version}`)
    return
  }
  if (name === 'help') return await dispatch([...rest, '--help'])
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (!entry) {
    const kind = name.startsWith('-') ? 'flag' : 'command'
    const near = kind === 'command' ? didYouMean(name, Object.keys(commands)) : ''
    throw new CommandError(
      exitCodes.usage,
      `unknown ${kind} "${name}"${near}: commands are ${Object.keys(commands).join(', ')}. "keyferry --help" explains them`,
    )
  }
  const command = await entry.load()
  await command.run(rest)
}

/** One sentence for what a person can mend; the whole trace for a fault of the program. */
function report(error: unknown): void {
  if (error instanceof CommandError || error instanceof KeyferryError) {
    console.error(`keyferry: ${error.message}`)
  } else {
    console.error('keyferry: this should not have happened, and is a fault of the program:')
    console.error(error)
  }
}
