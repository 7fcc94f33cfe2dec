import type { AuditOptions } from '../../src/core/audit/service.ts'
import type { Context } from '../../src/core/context.ts'
import type { Observer } from '../../src/core/telemetry.ts'
import { createApp } from '../../src/http/app.ts'
import type { AppOptions } from '../../src/http/options.ts'
import { type TestCore, testCore } from '../support/gateway.ts'
import { MemoryCloud, memoryProvider } from '../support/memory-provider.ts'
import { holdToContract } from './contract.ts'

export interface Reply {
  status: number
  /** The body as it came; '' for none. */
  text: string
  headers: Headers
}

/** The app on a real core, with a provider whose vaults `vault` and `other` are in memory. */
export interface Gateway extends TestCore {
  app: ReturnType<typeof createApp>
  cloud: MemoryCloud
  other: MemoryCloud
  /** Logged lines, for errors that no caller sees. */
  logged: { level: string; message: string; details: Record<string, unknown> | undefined }[]
  /** Sends a request under `/v1/`, with the root token unless `headers` say otherwise; an object is sent as JSON. */
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>
}

export async function gateway(
  options: Partial<AppOptions> = {},
  more: { context?: Partial<Context>; file?: string; audit?: AuditOptions; observer?: Observer } = {},
): Promise<Gateway> {
  const logged: Gateway['logged'] = []
  const cloud = new MemoryCloud()
  const other = new MemoryCloud()
  const clouds = new Map([
    ['vault', cloud],
    ['other', other],
  ])
  const test = await testCore({
    providers: [memoryProvider(clouds)],
    ...(more.file === undefined ? {} : { file: more.file }),
    ...(more.audit ? { audit: more.audit } : {}),
    ...(more.observer ? { observer: more.observer } : {}),
    context: { log: (level, message, details) => void logged.push({ level, message, details }), ...more.context },
  })
  const app = holdToContract(createApp(test.core, { version: '1.2.3', ...options }))
  const send = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const content = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
    const response = await app.request(`http://gateway/v1/${path}`, {
      method,
      headers: { 'x-vault-token': test.rootToken, ...headers },
      ...(content === undefined ? {} : { body: content }),
    })
    return { status: response.status, text: await response.text(), headers: response.headers }
  }
  return { ...test, app, cloud, other, logged, send }
}

/** Status and errors of a reply, for comparison in one go. */
export function outcome(reply: Reply): [number, ...string[]] {
  const body = reply.text === '' ? {} : JSON.parse(reply.text)
  return [reply.status, ...(body.errors ?? [])]
}

export function dataOf(reply: Reply): Record<string, unknown> {
  return JSON.parse(reply.text).data
}
