import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { goProgram, missingGo } from './go-program.ts'
import { here, once, run } from './tools.ts'
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
    missing: missingGo(),
    prepare: async () => {
      const go = await goProgram()
      const build = (folder: string) =>
        run(go, ['build', '-mod=readonly', '-tags', tag, '-o', join(folder, 'tour'), '.'], { cwd: source })
      return [join(await once(`go-${tag}`, inputs, build), 'tour')]
    },
  })
}
