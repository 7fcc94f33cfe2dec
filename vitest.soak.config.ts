import { defineConfig } from 'vitest/config'

/**
 * `npm run soak`: thousands of random lives with faults of all kinds. The simulation has a clock of its own; the other lives are with the
 * genuine SDK, on real time. `MINUTES=60 SEED=7 npm run soak` goes on for an hour with lives that were not lived before.
 */
export default defineConfig({
  test: {
    include: ['test/core/distribution/simulation.test.ts', 'test/providers/azurekeyvault/gateway-faults.test.ts'],
    env: { LIVES: process.env.LIVES ?? '10000', SDK_LIVES: process.env.SDK_LIVES ?? '2000' },
    hookTimeout: 60_000,
    reporters: ['default'],
  },
})
