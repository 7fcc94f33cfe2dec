import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { devGateway } from './gateway.ts'
import { here, npmCi, once, run } from './tools.ts'
import { tour } from './tour.ts'

const source = join(here, 'generated')
const node = process.execPath

tour({
  name: 'a client generated from /openapi.json (TypeScript)',
  missing: undefined,
  prepare: async () => {
    await npmCi(source)
    const modules = join(source, 'node_modules')
    const document = await openApiDocument()
    const inputs = ['package-lock.json', 'tour.ts', 'tsconfig.json'].map((file) => join(source, file))
    const built = await once('generated', [...inputs, document], async (folder) => {
      for (const file of ['tour.ts', 'tsconfig.json']) copyFileSync(join(source, file), join(folder, file))
      writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n')
      const input = join(folder, 'openapi.json')
      writeFileSync(input, document)
      const generator = join(modules, '@hey-api/openapi-ts/bin/run.js')
      await run(node, [generator, '--input', input, '--output', 'client', '--no-log-file'], { cwd: folder })
      const compiler = join(modules, 'typescript/bin/tsc')
      await run(node, [compiler, '--project', '.', '--typeRoots', join(modules, '@types')], { cwd: folder })
    })
    return [node, join(built, 'dist/tour.js')]
  },
})

/** The document as a gateway serves it. */
async function openApiDocument(): Promise<Buffer> {
  const gateway = await devGateway()
  try {
    const response = await fetch(`${gateway.env.VAULT_ADDR}/openapi.json`)
    if (!response.ok) throw new Error(`/openapi.json answered ${response.status}`)
    return Buffer.from(await response.arrayBuffer())
  } finally {
    await gateway.close()
  }
}
