import process from 'node:process'
import { main } from './main.ts'

/** Where Keyferry begins on Deno: `deno run … src/deno.ts COMMAND`. On Node it is bin/keyferry.mjs. */
await main(process.argv.slice(2))
