import { join } from 'node:path'
import { baoProgram } from './bao-program.ts'
import { here, missingCommand } from './tools.ts'
import { tour } from './tour.ts'

tour({
  name: 'the command line of OpenBao, which is that of Vault',
  missing: missingCommand('python3', '-c', 'import venv, ensurepip'),
  prepare: async () => [process.execPath, join(here, 'bao/tour.mjs'), await baoProgram()],
})
