import { defineConfig } from 'vitest/config'

/** `npm run test:smoke`: what is shipped, as it is shipped: the binary, the npm package, Deno, the files of deploy/. */
export default defineConfig({
  test: {
    include: ['test/smoke/**/*.smoke.ts'],
    globalSetup: ['test/smoke/build.ts'],
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 300_000,
    reporters: ['default'],
  },
})
