import { createHash, X509Certificate } from 'node:crypto'
import { statSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { CommandError, exitCodes, systemCode } from '../config/exit-codes.ts'
import type { Settings } from '../config/settings.ts'
import type { Context } from '../core/context.ts'
import { KeyferryError } from '../core/errors.ts'
import { checkedTls, type Tls } from '../serve/tls.ts'
import { readText } from './files.ts'

/** Where certificate and private key are. */
export interface TlsFiles {
  cert: string
  key: string
  minVersion: Settings['tls']['minVersion']
}

/** What the settings say; undefined for no TLS. Throws a `CommandError` (78) where one of two is missing. */
export function tlsFiles({ cert, key, minVersion }: Settings['tls']): TlsFiles | undefined {
  if (cert === undefined && key === undefined) return undefined
  if (cert === undefined || key === undefined) {
    throw new CommandError(
      exitCodes.config,
      `--tls-cert and --tls-key go together: ${cert === undefined ? '--tls-cert' : '--tls-key'} is missing`,
    )
  }
  return { cert, key, minVersion }
}

/**
 * Reads certificate and key, and tries them, so that a wrong file stops the start, or is not taken, and is not met by the first caller.
 * Throws a `CommandError` (78).
 */
export function readTls(files: TlsFiles): Tls {
  const tls = {
    cert: readText(files.cert, 'certificate'),
    key: readText(files.key, 'private key'),
    minVersion: files.minVersion,
  }
  try {
    return checkedTls(tls)
  } catch (error) {
    throw new CommandError(
      exitCodes.config,
      `the certificate ${files.cert} and the private key ${files.key} cannot be used together: both must be PEM, and a pair`,
      { cause: error },
    )
  }
}

export interface TlsReloadOptions {
  files: TlsFiles
  /** What is in use. */
  present: Tls
  /** Takes another pair into use: `Served.replaceTls`. */
  replace(tls: Tls): Promise<void>
  log: Context['log']
  /** How often the files are looked at, and how long they must rest before they are read, in ms. */
  everyMs?: number
  restMs?: number
}

/**
 * Keeps a listener's certificate up to date. The files are looked at again and again, rather than watched: certbot, Kubernetes and editors
 * rename files and swap links to folders, which a watch of the file does not follow. They are read once they rest, since certificate and
 * key are two files and come one after the other. What cannot be used is said in the log, once, and the pair before it stays.
 */
export class TlsReloader {
  readonly #options: Required<Omit<TlsReloadOptions, 'present'>>
  /** Of the pair in use: the key itself need not be kept here. */
  #present: string
  /** How the files looked when they were last read, and at the last look. */
  #read = ''
  #seen = ''
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  /** The last replacement took the port with it. */
  #lost = false
  #reloaded = Promise.resolve()

  constructor({ present, ...options }: TlsReloadOptions) {
    this.#options = { everyMs: 5_000, restMs: 1_000, ...options }
    this.#present = digest(present)
    this.#next(this.#options.everyMs)
  }

  /** Reads the files now, as SIGHUP asks, one reading after the other. */
  reload(): Promise<void> {
    this.#reloaded = this.#reloaded.then(() => this.#reload())
    return this.#reloaded
  }

  async #reload(): Promise<void> {
    const { files, log, replace } = this.#options
    if (this.#stopped) return
    try {
      refuseEndless(files.cert, 'certificate')
      refuseEndless(files.key, 'private key')
      const tls = readTls(files)
      if (digest(tls) === this.#present) return
      await replace(tls)
      if (this.#stopped) return
      this.#present = digest(tls)
      this.#lost = false
      log('info', 'the TLS certificate was replaced', {
        file: files.cert,
        until: new X509Certificate(tls.cert).validTo,
      })
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      if (this.#stopped) return
      this.#lost ||= error instanceof KeyferryError && error.code === 'unavailable'
      // Whatever the files hold by then is taken at the next look.
      if (this.#lost) this.#present = this.#read = ''
      const then = this.#lost ? 'the port was lost: it is tried for again and again' : 'the one before stays in use'
      log('error', `the TLS certificate was not replaced, and ${then}`, { reason })
    }
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  #next(ms: number): void {
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#look(), ms).unref()
  }

  async #look(): Promise<void> {
    const { files, everyMs, restMs } = this.#options
    const looks = (await Promise.all([files.cert, files.key].map(look))).join(' ')
    const rests = looks === this.#seen
    this.#seen = looks
    if (looks === this.#read) return this.#next(everyMs)
    if (!rests) return this.#next(restMs)
    this.#read = looks
    await this.reload()
    this.#next(everyMs)
  }
}

/** A pipe may have nobody at its other end, and a device no end at all: a gateway that serves would stand still over it. */
function refuseEndless(file: string, what: string): void {
  let endless = false
  try {
    const found = statSync(file)
    endless = !found.isFile() && !found.isDirectory()
  } catch {
    // Whoever reads it says why it cannot be.
  }
  if (endless)
    throw new CommandError(exitCodes.config, `the ${what} ${file} is a pipe or a device, which is read at a start only`)
}

function digest({ cert, key }: Tls): string {
  return createHash('sha256')
    .update(JSON.stringify([cert, key]))
    .digest('hex')
}

/** What changes when a file does, also behind links. */
async function look(file: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeMs, ctimeMs } = await stat(file)
    return [dev, ino, size, mtimeMs, ctimeMs].join(':')
  } catch (error) {
    return systemCode(error) ?? 'unreadable'
  }
}
