import { defineConfig } from 'vitest/config';

/** Where CI wants the numbers. */
const resultsFile = process.env['MILLRACE_TEST_RESULTS'];

/** Tests against real services; `npm run test:services` starts those and sets their addresses. One file at a time. */
export default defineConfig({
  test: {
    include: ['test/**/*.services.test.ts'],
    exclude: ['node_modules/**', 'dist/**'],
    globalSetup: ['test/compiled.ts'],
    pool: 'forks',
    maxWorkers: 1,
    fileParallelism: false,
    // longer than the waits of a test together, so that the one in vain says what it waited for
    testTimeout: 400_000,
    hookTimeout: 120_000,
    reporters: resultsFile === undefined ? ['default'] : ['default', ['json', { outputFile: resultsFile }]],
  },
});
