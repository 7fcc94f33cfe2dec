import { afterEach } from 'vitest'
import type { NamespaceLimits } from '../../src/core/access/limits.ts'
import { createApp } from '../../src/http/app.ts'
import { testCore } from '../support/gateway.ts'
import { MemoryCloud, memoryProvider } from '../support/memory-provider.ts'
import type { Gateway, Reply } from './gateway.ts'
import { as, type Send } from './tenants.ts'

export const clock = { time: 0 }
/** The gateway that was started last. */
export let vault: Gateway
/** Its vault `vault`. */
export let cloud: MemoryCloud

/** Closes after each test what it started. */
export function closesAfterEach(): void {
  afterEach(() => vault.close())
}

/** Starts with limits; requests come from the address in the header `from`. */
export async function start(limits: NamespaceLimits = {}): Promise<Send> {
  clock.time = 1_800_000_000_000
  cloud = new MemoryCloud()
  const core = await testCore({
    providers: [memoryProvider(new Map([['vault', cloud]]))],
    context: { now: () => clock.time },
    limits,
  })
  const app = createApp(core.core)
  const send: Gateway['send'] = async (method, path, body, headers = {}) => {
    const { from = '192.0.2.1', ...others } = headers
    const response = await app.request(
      `http://gateway/v1/${path}`,
      {
        method,
        headers: { 'x-vault-token': core.rootToken, ...others },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      },
      { remoteAddress: from },
    )
    return { status: response.status, text: await response.text(), headers: response.headers }
  }
  vault = { ...core, app, cloud, logged: [], send } as unknown as Gateway
  return as(vault, core.rootToken)
}

export const limited = (reply: Reply) => [
  reply.status,
  reply.headers.get('retry-after'),
  ...(JSON.parse(reply.text || '{}').errors ?? []),
]
