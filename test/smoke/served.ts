import { type ChildProcess, spawn } from 'node:child_process'

/** A server process of any command line, which says where it answers. */
export class Served {
  readonly url: string
  readonly #child: ChildProcess
  readonly #ended: Promise<number | null>
  /** All that it has said so far. */
  readonly said: () => string

  private constructor(url: string, child: ChildProcess, ended: Promise<number | null>, said: () => string) {
    this.url = url
    this.#child = child
    this.#ended = ended
    this.said = said
  }

  /** `pattern`: what it says when it is ready, with the URL in its first group. Rejects when it ends before. */
  static async start(
    [program = '', ...args]: readonly string[],
    options: { cwd?: string; env?: Record<string, string> },
    pattern = /answers at (\S+)\n/,
  ): Promise<Served> {
    const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)))
    const url = await new Promise<string>((resolve, reject) => {
      for (const output of [child.stdout, child.stderr]) {
        output.on('data', (chunk: Buffer) => {
          said += chunk.toString()
          const match = pattern.exec(said)
          if (match) resolve(match[1] ?? '')
        })
      }
      void ended.then((code) => reject(new Error(`${program} ended with ${code}:\n${said}`)))
    })
    return new Served(url, child, ended, () => said)
  }

  /** One request of Vault's API; gives its status. */
  async send(token: string, method: string, path: string, body?: unknown): Promise<number> {
    const response = await fetch(`${this.url}/v1/${path}`, {
      method,
      headers: { 'X-Vault-Token': token },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    await response.arrayBuffer()
    return response.status
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** Gives the exit code. */
  async stop(): Promise<number | null> {
    this.#child.kill('SIGTERM')
    return await this.#ended
  }
}
