import { join } from 'node:path'
import { baoProgram } from './bao-program.ts'
import { missingPython } from './python.ts'
import { here } from './tools.ts'
import { tour } from './tour.ts'

tour({
  name: 'the command line of OpenBao, which is that of Vault',
  missing: missingPython(),
  prepare: async () => [process.execPath, join(here, 'bao/tour.mjs'), await baoProgram()],
})
