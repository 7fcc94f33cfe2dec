import { defineConfig } from 'vitest/config'

/** `npm run test:fuzz`: requests that nobody thought of, made from `/openapi.json`, to a running gateway. */
export default defineConfig({
  test: {
    include: ['test/fuzz/**/*.fuzz.ts'],
    testTimeout: 3_600_000,
    hookTimeout: 600_000,
    reporters: ['default'],
  },
})
