import { defineConfig } from 'vitest/config'

/** `npm run test:peers`: every blob that we make, judged by implementations that share nothing with us. */
export default defineConfig({
  test: { include: ['test/peers/**/*.peer.ts'], testTimeout: 900_000, hookTimeout: 900_000, reporters: ['default'] },
})
