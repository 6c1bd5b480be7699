import { configDefaults, defineConfig } from 'vitest/config';

/** Where CI wants the numbers. */
const resultsFile = process.env['MILLRACE_TEST_RESULTS'];

/**
 * Files that change nothing of their process but what they make and close: they take turns in two processes that load the platform once,
 * since loading it costs more than most of them. The others change the environment, replace modules, or count what is in the process.
 */
const together = [
  'test/{statistics,topologies,schemas,sdk,services}/**/*.test.ts',
  'test/{docs,deploy,flows}/**/*.test.ts',
  'test/conformance/{model-runtime,schema-registry,query-store}/**/*.test.ts',
  'test/runtime/{blobs,bundler,config,embedded-log,engine,function-model,inference-graph,kafka-log,onnx,open-inference,query,registry,testing}/**/*.test.ts',
];
const slow = ['test/**/*.long.test.ts', 'test/**/*.services.test.ts'];
const each = { pool: 'forks', testTimeout: 60_000, hookTimeout: 60_000 } as const;

export default defineConfig({
  test: {
    globalSetup: ['test/compiled.ts'],
    maxWorkers: 2,
    reporters: resultsFile === undefined ? ['default'] : ['default', ['json', { outputFile: resultsFile }]],
    projects: [
      {
        test: {
          ...each,
          name: 'together',
          isolate: false,
          include: together,
          exclude: [...configDefaults.exclude, ...slow],
        },
      },
      {
        test: {
          ...each,
          name: 'alone',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...slow, ...together],
        },
      },
    ],
  },
});
