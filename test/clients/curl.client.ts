import { join } from 'node:path'
import { here, missingCommand } from './tools.ts'
import { tour } from './tour.ts'

tour({
  name: 'curl',
  missing: missingCommand('curl', '--version'),
  prepare: () => [process.execPath, join(here, 'curl/tour.mjs')],
})
