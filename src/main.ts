import type { Command } from './commands/command.ts'
import { CommandError, exitCodeOf, exitCodes } from './config/exit-codes.ts'
import { didYouMean } from './config/nearest.ts'
import { KeyferryError } from './core/errors.ts'

interface Entry {
  /** One line in the help of all; commands that are alike share one, and the others name the first in `beside`. */
  summary?: string
  beside?: string
  /** Commands are loaded when they are called, so that help and start are quick. */
  load(): Promise<Command>
}

const commands: Readonly<Record<string, Entry>> = {
  dev: {
    summary: 'a gateway to try things on, with a Key Vault emulator inside',
    load: () => import('./commands/dev.ts'),
  },
  init: {
    summary: 'make a data folder, and print the first root token',
    load: () => import('./commands/init.ts'),
  },
  serve: {
    summary: 'run the gateway on a data folder',
    load: () => import('./commands/serve.ts'),
  },
  config: {
    summary: 'check settings, or show them with where each comes from',
    load: () => import('./commands/config.ts'),
  },
  login: {
    summary: 'log in to a gateway, for the commands that follow',
    load: () => import('./commands/login.ts'),
  },
  status: {
    summary: 'whether a gateway answers, and is unsealed',
    load: () => import('./commands/status.ts'),
  },
  read: {
    summary: 'show what is at a path of a gateway, or the names below it',
    load: () => import('./commands/read.ts'),
  },
  list: { beside: 'read', load: () => import('./commands/list.ts') },
  write: {
    summary: 'make, change or delete what is at a path',
    load: () => import('./commands/write.ts'),
  },
  delete: { beside: 'write', load: () => import('./commands/delete.ts') },
  audit: {
    summary: 'check that an audit log is whole, or view one tenant of it',
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
  const rows = entries.flatMap(([name, { summary }]) => {
    const others = entries.filter(([, { beside }]) => beside === name).map(([other]) => other)
    return summary === undefined ? [] : [[[name, ...others].join(', '), summary]]
  })
  const width = Math.max(...rows.map(([names = '']) => names.length)) + 2
  return `keyferry makes keys on your own ground and ferries them into cloud KMSs.

Usage: keyferry COMMAND [FLAGS]     "keyferry COMMAND --help" has examples
Begin with "keyferry dev"; for keys that matter, with init and serve.

${rows.map(([names = '', summary]) => `  ${names.padEnd(width)}${summary}`).join('\n')}

Exit codes: 0 done; 1 a fault of the program; 2 a gateway refuses; 64 usage;
65 damaged data; 69 in use, not there; 73 a file cannot be made; 78 settings.`
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
    const { printable } = await import('./client/refusals.ts')
    const error = unexplained(thrown) ?? thrown
    report(error, printable)
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

/**
 * One sentence for what a person can mend; the whole trace for a fault of the program. A sentence may repeat what a file or another host
 * said, and a terminal must not obey that.
 */
function report(error: unknown, printable: (text: string) => string): void {
  if (error instanceof CommandError || error instanceof KeyferryError) {
    console.error(`keyferry: ${printable(error.message)}`)
  } else {
    console.error('keyferry: this should not have happened, and is a fault of the program:')
    console.error(error)
  }
}
