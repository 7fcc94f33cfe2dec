import { defineConfig } from 'vitest/config'

/** `npm run test:crash`: a gateway is killed at every step of every operation, and at random moments under load. */
export default defineConfig({
  test: {
    include: ['test/**/*.crash.ts'],
    testTimeout: 1_800_000,
    hookTimeout: 60_000,
    reporters: ['default'],
  },
})
