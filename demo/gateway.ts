import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseEnv } from 'node:util'

const launcher = fileURLToPath(new URL('../bin/keyferry.mjs', import.meta.url))
/** The "--" keeps Node from taking --env-file for itself, which it otherwise does even behind the script's name. */
const fromSource = [process.execPath, '--', launcher]
const patienceMs = 20_000

/** The real thing in a process of its own, with its addresses and credentials. */
export interface DevGateway {
  env: Record<string, string>
  milliseconds: number
  stop(): Promise<void>
}

/**
 * Starts `keyferry dev` as anybody would, and waits for its env file. `command`: another keyferry than that of the sources, as
 * `node demo/demo.ts dist/keyferry` has it.
 */
export async function startDevGateway(command: readonly string[] = process.argv.slice(2)): Promise<DevGateway> {
  const [program = '', ...before] = command.length > 0 ? command : fromSource
  const folder = mkdtempSync(join(tmpdir(), 'keyferry-demo-'))
  const envFile = join(folder, 'dev.env')
  const started = performance.now()
  const child = spawn(program, [...before, 'dev', '--listen', '127.0.0.1:0', '--env-file', envFile], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    while (!existsSync(envFile)) {
      if (child.exitCode !== null) throw new Error(`keyferry dev ended with ${child.exitCode}`)
      if (performance.now() - started > patienceMs) throw new Error('keyferry dev was not ready in time')
      await sleep(10)
    }
    const env = Object.fromEntries(
      Object.entries(parseEnv(readFileSync(envFile, 'utf8'))).map(([k, v]) => [k, v ?? '']),
    )
    return { env, milliseconds: performance.now() - started, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** One plain HTTP request, as curl would send it. Throws when the answer is not a success. */
export async function request(
  env: Readonly<Record<string, string>>,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ data?: unknown }> {
  const response = await fetch(`${env.VAULT_ADDR}/v1/${path}`, {
    method,
    headers: { 'X-Vault-Token': env.VAULT_TOKEN ?? '' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} /v1/${path} answered ${response.status}: ${text}`)
  const answer = text === '' ? {} : (JSON.parse(text) as { data?: unknown; warnings?: string[] | null })
  if (answer.warnings?.length) throw new Error(`${method} /v1/${path} warned: ${answer.warnings.join('; ')}`)
  return answer
}
