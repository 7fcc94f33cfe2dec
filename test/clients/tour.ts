import { spawn } from 'node:child_process'
import { beforeAll, describe, expect, it } from 'vitest'
import { devGateway } from './gateway.ts'
import { steps } from './steps.ts'

/** A program ready to run: its command line. */
export type Program = readonly [command: string, ...args: string[]]

export interface Client {
  name: string
  /** Why it cannot be had on this machine; undefined where it can. By hand that is a skip, with CI=true a failure. */
  missing: string | undefined
  /** Installs or builds it where that was not done before. */
  prepare(): Program | Promise<Program>
}

/** One test for each step of the tour: that the client's program got through it. */
export function tour({ name, missing, prepare }: Client): void {
  const absent = missing !== undefined && process.env.CI !== 'true'
  describe.skipIf(absent)(`${name}${missing === undefined ? '' : ` (${missing})`}`, () => {
    let run: { done: string[]; stderr: string; status: number | null }
    beforeAll(async () => {
      expect(missing).toBeUndefined()
      const program = await prepare()
      const gateway = await devGateway()
      try {
        run = await runProgram(program, gateway.env)
      } finally {
        await gateway.close()
      }
    })

    it.each(steps)('%s', (step) => {
      const stopped = steps.find((one) => !run.done.includes(one))
      const outcome = run.done.includes(step) ? 'done' : stopped === step ? run.stderr : `not reached after ${stopped}`
      expect(outcome).toBe('done')
    })

    it('gets to the end, and says nothing else', () => {
      expect(run).toEqual({ status: 0, stderr: '', done: steps })
    })
  })
}

/** Its environment is what the gateway's env file says and the PATH: no settings of the machine's for Vault or for proxies. */
async function runProgram([command, ...args]: Program, env: Record<string, string>) {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    timeout: 300_000,
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => (stdout += chunk))
  child.stderr.on('data', (chunk) => (stderr += chunk))
  const status = await new Promise<number | null>((resolve, reject) =>
    child.once('error', reject).once('close', resolve),
  )
  const done = stdout.split('\n').flatMap((line) => /^ok (\w+)$/.exec(line)?.[1] ?? [])
  return { done, stderr, status }
}
