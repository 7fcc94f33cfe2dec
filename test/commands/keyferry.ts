import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

export const repository = resolve(import.meta.dirname, '../..')
export const launcher = join(repository, 'bin/keyferry.mjs')

/** Halves the time that each of the many processes takes to start. */
const compileCache = join(repository, 'node_modules/.cache/keyferry')

/** How long anything here may take: generous, since it only ends what hangs. */
const patienceMs = 25_000

/** A folder that is gone when the test file is done. */
export function temporaryFolders(): { make(): string; removeAll(): void } {
  const made: string[] = []
  return {
    make() {
      const folder = mkdtempSync(join(tmpdir(), 'keyferry-test-'))
      made.push(folder)
      return folder
    },
    removeAll() {
      for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true })
    },
  }
}

export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** A keyferry process. */
export class Keyferry {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  stdout = ''
  stderr = ''
  #ended = false
  #woken: (() => void)[] = []

  /** The environment is what is given and nothing else of this process's, but for the PATH. `script`: another one than the launcher. */
  constructor(args: readonly string[], options: { env?: Record<string, string>; cwd?: string; script?: string } = {}) {
    // The "--" keeps Node from taking --env-file for itself, which it otherwise does even behind the script's name.
    this.child = spawn(process.execPath, ['--', options.script ?? launcher, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: options.cwd ?? repository,
      env: {
        PATH: process.env.PATH ?? '',
        HOME: process.env.HOME ?? '',
        NODE_COMPILE_CACHE: compileCache,
        ...options.env,
      },
    })
    this.child.stdout?.on('data', (chunk: Buffer) => this.#heard('stdout', chunk))
    this.child.stderr?.on('data', (chunk: Buffer) => this.#heard('stderr', chunk))
    this.ended = new Promise((ended) => {
      this.child.once('close', (code, signal) => {
        this.#ended = true
        this.#wake()
        ended({ code, signal, stdout: this.stdout, stderr: this.stderr })
      })
    })
  }

  /** Waits until it has said something on an output; gives what matched. Rejects when it ends, or takes too long. */
  async says(output: 'stdout' | 'stderr', pattern: RegExp): Promise<RegExpExecArray> {
    const deadline = performance.now() + patienceMs
    while (true) {
      const match = pattern.exec(this[output])
      if (match) return match
      const left = deadline - performance.now()
      if (this.#ended || left <= 0) {
        throw new Error(`keyferry never said ${pattern}:\n${this.stdout}\n${this.stderr}`)
      }
      await new Promise<void>((woken) => {
        const timer = setTimeout(woken, left)
        this.#woken.push(() => {
          clearTimeout(timer)
          woken()
        })
      })
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    this.child.kill(signal)
    return await this.ended
  }

  #heard(output: 'stdout' | 'stderr', chunk: Buffer): void {
    this[output] += chunk.toString()
    this.#wake()
  }

  #wake(): void {
    for (const wake of this.#woken.splice(0)) wake()
  }
}

/** Runs a command that ends by itself. */
export async function keyferry(
  args: readonly string[],
  options?: ConstructorParameters<typeof Keyferry>[1],
): Promise<Ended> {
  const process = new Keyferry(args, options)
  const timer = setTimeout(() => process.child.kill('SIGKILL'), patienceMs)
  try {
    return await process.ended
  } finally {
    clearTimeout(timer)
  }
}

/** Starts `keyferry serve` and waits until it answers. */
export async function serve(
  args: readonly string[],
  options?: ConstructorParameters<typeof Keyferry>[1],
): Promise<{ gateway: Keyferry; url: string }> {
  const gateway = new Keyferry(['serve', '--listen', '127.0.0.1:0', ...args], options)
  const [, url = ''] = await gateway.says('stdout', /answers at (\S+)\n/)
  return { gateway, url }
}

export interface Answer {
  status: number
  body: { data?: Record<string, unknown>; errors?: string[]; warnings?: string[] | null } | undefined
}

/** One request of Vault's API. */
export async function call(url: string, token: string, method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(`${url}/v1/${path}`, {
    method,
    headers: { 'X-Vault-Token': token },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? undefined : (JSON.parse(text) as Answer['body']) }
}
