import { defineConfig } from 'vitest/config';

/** Where CI wants the numbers. */
const resultsFile = process.env['MILLRACE_TEST_RESULTS'];

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/**/*.long.test.ts', 'test/**/*.services.test.ts', 'node_modules/**', 'dist/**'],
    globalSetup: ['test/compiled.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: resultsFile === undefined ? ['default'] : ['default', ['json', { outputFile: resultsFile }]],
  },
});
