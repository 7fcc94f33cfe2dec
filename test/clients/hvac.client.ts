import { join } from 'node:path'
import { missingPython, pythonWith } from './python.ts'
import { here } from './tools.ts'
import { tour } from './tour.ts'

tour({
  name: 'hvac (Python)',
  missing: missingPython(),
  prepare: async () => {
    const python = await pythonWith('hvac', join(here, 'hvac/requirements.txt'))
    return [join(python, 'bin/python'), join(here, 'hvac/tour.py')]
  },
})
