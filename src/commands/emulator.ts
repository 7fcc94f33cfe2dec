import { CommandError, exitCodes } from '../config/exit-codes.ts'
import { emulatorCommand } from '../emulator/azurekeyvault/command.ts'

const prefix = 'keyferry emulator: '

/** The emulator has a command of its own, which knows nothing of this one; here its complaints get their exit codes. */
export async function run(args: string[]): Promise<void> {
  try {
    await emulatorCommand(args.map((arg) => (arg === '-h' ? '--help' : arg)))
  } catch (error) {
    if (!(error instanceof Error)) throw error
    if (error.message.startsWith(prefix)) {
      throw new CommandError(exitCodes.usage, error.message.slice(prefix.length), { cause: error })
    }
    if ('syscall' in error && error.syscall === 'listen') {
      const hint = 'Stop what is there, or choose another address with --listen HOST:PORT'
      throw new CommandError(exitCodes.unavailable, `cannot ${error.message}. ${hint}`, { cause: error })
    }
    throw error
  }
}
