#!/usr/bin/env -S node --max-semi-space-size=2 --v8-pool-size=1 --
// A small young generation and one thread for V8's own work: the gateway is an idle process most of its life, and these save 10 MB and
// 3 MB of it at no cost that was measured.
// Plain JavaScript on purpose: Node 20 cannot load a .ts file at all, so the refusal must happen before one is imported.
const major = Number(process.versions.node.split('.')[0])
if (major < 24) {
  console.error(
    `keyferry needs Node 24 or newer, and this is Node ${process.versions.node}: run it as "npx keyferry" in a clone, or install a newer Node.`,
  )
  process.exit(78)
}
// Compiled code is kept between starts: without it a start takes twice as long.
const { existsSync } = await import('node:fs')
const { enableCompileCache } = await import('node:module')
const { fileURLToPath } = await import('node:url')
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/keyferry', import.meta.url)))
// The npm package has the sources bundled, since Node takes no types out of what is under node_modules.
const inClone = existsSync(new URL('../src/main.ts', import.meta.url))
const { main } = await import(inClone ? '../src/main.ts' : '../dist/npm/main.js')
await main(process.argv.slice(2))
