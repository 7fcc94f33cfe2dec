import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { here, missingCommand, once, run } from './tools.ts'
import { tour } from './tour.ts'

const source = join(here, 'go')
const inputs = readdirSync(source)
  .sort()
  .map((file) => join(source, file))

for (const [name, tag] of [
  ['github.com/hashicorp/vault/api (Go)', 'vault'],
  ['github.com/openbao/openbao/api/v2 (Go)', 'openbao'],
] as const) {
  tour({
    name,
    missing: missingCommand('go', 'version'),
    prepare: async () => {
      const build = (folder: string) =>
        run('go', ['build', '-mod=readonly', '-tags', tag, '-o', join(folder, 'tour'), '.'], { cwd: source })
      return [join(await once(`go-${tag}`, inputs, build), 'tour')]
    },
  })
}
