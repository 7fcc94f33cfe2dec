import { defineConfig } from 'vitest/config'

/** `npm run test:clients`: the clients that people have, each taken through the whole API of a running gateway. */
export default defineConfig({
  test: {
    include: ['test/clients/**/*.client.ts'],
    hookTimeout: 900_000,
    maxWorkers: 2,
    reporters: ['default'],
  },
})
