import { defineConfig } from 'vitest/config';

/** Where CI wants the numbers. */
const resultsFile = process.env['MILLRACE_TEST_RESULTS'];

/** Tests with many seeds, on Node alone; `npm run test:long`. */
export default defineConfig({
  test: {
    include: ['test/**/*.long.test.ts'],
    exclude: ['node_modules/**', 'dist/**'],
    globalSetup: ['test/compiled.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 1_800_000,
    hookTimeout: 60_000,
    reporters: resultsFile === undefined ? ['default'] : ['default', ['json', { outputFile: resultsFile }]],
  },
});
