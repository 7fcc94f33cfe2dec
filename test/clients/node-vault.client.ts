import { join } from 'node:path'
import { here, npmCi } from './tools.ts'
import { tour } from './tour.ts'

tour({
  name: 'node-vault (JavaScript)',
  missing: undefined,
  prepare: async () => {
    await npmCi(join(here, 'node'))
    return [process.execPath, join(here, 'node/tour.mjs')]
  },
})
