import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { type Answer, Keyferry, keyferry } from '../keyferry.ts'
import { Cloud } from './cloud.ts'

export interface CallOptions {
  /** Sent as `Idempotency-Key`. */
  key?: string
  namespace?: string
}

/** How long anything here may take to come to rest: less than a lease, which nobody may wait for. */
const patienceMs = 60_000

/** A data folder with its gateway, which dies and comes back, and an emulator that lives on. */
export class CrashWorld {
  readonly folder: string
  readonly data: string
  readonly cloud: Cloud
  readonly token: string
  /** What the gateways had to say to their operator. */
  readonly complaints: string[] = []
  #gateway: Keyferry | undefined
  #url = ''

  private constructor(folder: string, data: string, token: string, cloud: Cloud) {
    this.folder = folder
    this.data = data
    this.token = token
    this.cloud = cloud
  }

  /** With the KMSs `one` and `two`, or on vaults of these names and with the same names. */
  static async make(vaults?: readonly string[]): Promise<CrashWorld> {
    const folder = mkdtempSync(join(tmpdir(), 'keyferry-crash-'))
    const data = join(folder, 'data')
    const [{ stdout }, cloud] = await Promise.all([
      keyferry(['init', '--data', data, '--format', 'json']),
      Cloud.start(folder),
    ])
    const world = new CrashWorld(folder, data, (JSON.parse(stdout) as { root_token: string }).root_token, cloud)
    await world.start()
    for (const vault of vaults ?? ['crash-one', 'crash-two']) {
      const name = vault.replace(/^crash-/, '')
      if (vaults) await cloud.addVault(vault)
      await world.must('POST', `keymgmt/kms/${name}`, cloud.kms(vault))
      // Their key encryption keys are there from now on.
      await world.must('POST', `keymgmt/key/first-${name}`, { type: 'ecdsa-p256' })
      await world.must('POST', `keymgmt/kms/${name}/key/first-${name}`, { purpose: 'sign', protection: 'hsm' })
    }
    await world.kill()
    return world
  }

  get file(): string {
    return join(this.data, 'keyferry.db')
  }

  /** Starts a gateway, which kills itself at a failpoint where one is given. */
  async start(failpoint?: string): Promise<void> {
    const emulator = JSON.stringify({ address: this.cloud.address, ca: this.cloud.ca })
    this.#gateway = new Keyferry([this.data, emulator], {
      script: join(import.meta.dirname, 'gateway.ts'),
      ...(failpoint !== undefined && { env: { KEYFERRY_FAILPOINT: failpoint } }),
    })
    this.#url = (await this.#gateway.says('stdout', /answers at (\S+)\n/))[1] ?? ''
  }

  /** Resolves once the gateway is dead, or after `ms`: true, when it died. */
  async died(ms: number): Promise<boolean> {
    const gateway = this.#gateway
    if (!gateway) return true
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), ms)
    })
    const dead = await Promise.race([gateway.ended.then(() => true), late])
    clearTimeout(timer)
    return dead
  }

  /** `kill -9`, where it is not dead already. */
  async kill(): Promise<void> {
    const gateway = this.#gateway
    if (!gateway) return
    const { stderr } = await gateway.stop('SIGKILL')
    this.complaints.push(...stderr.split('\n').filter((line) => line !== ''))
    this.#gateway = undefined
  }

  /** Rejects where the connection broke. */
  async call(method: string, path: string, body?: unknown, { key, namespace }: CallOptions = {}): Promise<Answer> {
    const response = await fetch(`${this.#url}/v1/${path}`, {
      method,
      headers: {
        'X-Vault-Token': this.token,
        ...(key !== undefined && { 'Idempotency-Key': key }),
        ...(namespace !== undefined && { 'X-Vault-Namespace': namespace }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, body: text === '' ? undefined : (JSON.parse(text) as Answer['body']) }
  }

  /** As `call`; throws for anything but success. */
  async must(method: string, path: string, body?: unknown, options?: CallOptions): Promise<Answer> {
    const answer = await this.call(method, path, body, options)
    if (answer.status > 299) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer
  }

  rows<T = Record<string, unknown>>(sql: string, ...values: unknown[]): T[] {
    const sqlite = new Sqlite(this.file, { readonly: true })
    try {
      return sqlite.prepare(sql).all(...values) as T[]
    } finally {
      sqlite.close()
    }
  }

  write(sql: string, ...values: unknown[]): void {
    const sqlite = new Sqlite(this.file)
    try {
      sqlite.prepare(sql).run(...values)
    } finally {
      sqlite.close()
    }
  }

  /** Waits until nothing is left to be done in any cloud. */
  async atRest(): Promise<void> {
    const end = Date.now() + patienceMs
    for (;;) {
      const left = this.rows("SELECT remote_name, desired, reason, attempts FROM copies WHERE state = 'pending'")
      if (left.length === 0) return
      if (Date.now() > end) throw new Error(`it never came to rest: ${JSON.stringify(left)}`)
      await new Promise((go) => setTimeout(go, 25))
    }
  }

  /** From now on a failpoint `@FILE` counts: gives the file for a number. */
  armFile(number: number): string {
    return join(this.folder, `armed-${number}`)
  }

  arm(number: number): void {
    writeFileSync(this.armFile(number), '')
  }

  async close(): Promise<void> {
    await this.kill()
    await this.cloud.close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
