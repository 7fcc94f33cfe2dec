import { join } from 'node:path'
import { here, missingCommand, once, run } from './tools.ts'
import { tour } from './tour.ts'

const requirements = join(here, 'hvac/requirements.txt')

tour({
  name: 'hvac (Python)',
  missing: missingCommand('python3', '-c', 'import venv, ensurepip'),
  prepare: async () => {
    const venv = await once('hvac', [requirements], async (folder) => {
      await run('python3', ['-m', 'venv', folder])
      await run(join(folder, 'bin/pip'), ['install', '--quiet', '--disable-pip-version-check', '-r', requirements])
    })
    return [join(venv, 'bin/python'), join(here, 'hvac/tour.py')]
  },
})
