import { defineConfig } from 'vitest/config';

/** Tests with many seeds, on Node alone; `npm run test:long`. */
export default defineConfig({
  test: {
    include: ['test/**/*.long.test.ts'],
    exclude: ['node_modules/**', 'dist/**'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 900_000,
    hookTimeout: 60_000,
    reporters: ['default'],
  },
});
