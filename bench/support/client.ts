import { Agent, request } from 'node:http'

/** A small HTTP client on connections that are kept. Good for tens of requests a second; the driver is for thousands. */
export class Client {
  readonly #base: string
  readonly #token: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 })

  constructor(base: string, token: string) {
    this.#base = base
    this.#token = token
  }

  /** Gives the answer's `data`; throws for any other status than 2xx. */
  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    const { status, text } = await this.send(method, path, body === undefined ? undefined : JSON.stringify(body))
    if (status < 200 || status > 299) throw new Error(`${method} ${path}: ${status} ${text}`)
    return text === '' ? undefined : (JSON.parse(text) as { data: unknown }).data
  }

  async send(method: string, path: string, body: string | undefined): Promise<{ status: number; text: string }> {
    return await new Promise((resolve, reject) => {
      const headers = {
        'X-Vault-Token': this.#token,
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      }
      const sent = request(`${this.#base}/v1/${path}`, { method, headers, agent: this.#agent }, (response) => {
        const parts: Buffer[] = []
        response.on('data', (part: Buffer) => parts.push(part))
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString() }))
        response.on('error', reject)
      })
      sent.on('error', reject)
      sent.end(body)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}

/** How long a piece of work takes, in ms. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await work()
  return performance.now() - begun
}

/** `clients` of them do `count` pieces of work in all, each the next when it is through with one; gives the times, in ms. */
export async function shared(clients: number, count: number, work: (i: number) => Promise<unknown>): Promise<number[]> {
  const times: number[] = []
  let next = 0
  const client = async () => {
    while (next < count) {
      const i = next++
      times.push(await timed(() => work(i)))
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
  return times
}
