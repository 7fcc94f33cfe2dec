import { close, constants, open, write } from 'node:fs'
import { promisify } from 'node:util'

/** Where audit lines go. */
export interface Sink {
  name: string
  /** Resolves when every line is handed to the system. A rejection means that perhaps none, perhaps some were. */
  write(lines: string[]): Promise<void>
  /** The file was moved away: opens it anew. */
  reopen(): Promise<void>
  close(): Promise<void>
}

const openFile = promisify(open)
const closeFile = promisify(close)
const writeFile = promisify(write) as (
  fd: number,
  buffer: Buffer,
  offset: number,
) => Promise<number | { bytesWritten: number }>

/** A sink that appends to a file, made with mode 0600. */
export function fileSink(path: string): Sink {
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT
  let file: Promise<number> | undefined
  const opened = () => (file ??= openFile(path, flags, 0o600))
  const closed = async () => {
    const fd = await file?.catch(() => undefined)
    file = undefined
    if (fd !== undefined) await closeFile(fd)
  }
  return {
    name: path,
    write: async (lines) => {
      try {
        await writeAll(await opened(), lines)
      } catch (error) {
        // A file that could not be opened may be there the next time.
        if (file) await file.catch(() => (file = undefined))
        throw error
      }
    },
    reopen: closed,
    close: closed,
  }
}

/** A sink to standard output. */
export function stdoutSink(): Sink {
  return { name: 'stdout', write: (lines) => writeAll(1, lines), reopen: async () => {}, close: async () => {} }
}

async function writeAll(fd: number, lines: string[]): Promise<void> {
  const bytes = Buffer.from(`${lines.join('\n')}\n`)
  let offset = 0
  while (offset < bytes.length) {
    const result = await writeFile(fd, bytes, offset)
    offset += typeof result === 'number' ? result : result.bytesWritten
  }
}
