import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { CommandError, exitCodes, systemReason } from '../config/exit-codes.ts'

/** The lines of files, one after the other. Throws a `CommandError` that names the file that cannot be read. */
export async function* linesOf(files: readonly string[]): AsyncIterable<string> {
  for (const file of files) {
    try {
      yield* createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })
    } catch (error) {
      throw new CommandError(exitCodes.config, `the audit log ${file} cannot be read: ${systemReason(error)}`)
    }
  }
}
