import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { openDirectoryBlobStore } from '../../../runtime/adapters/blobs/directory-blob-store.ts';
import { bundleFlow } from '../../../runtime/adapters/bundler/bundle-flow.ts';
import { createProcessExecutor } from '../../../runtime/adapters/process-executor/process-executor.ts';
import { mutants } from './mutants.ts';
import { type Bench, cases, logBytesMax } from './suite.ts';

let directory: string;
let bench: Bench;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-executor-'));
  // as in a checkout of this project: a bundle must not find that package instead of the one that runs it
  await writeFile(join(directory, 'package.json'), '{"name":"millrace","exports":{".":"./nothing.js"}}');
  const blobs = await openDirectoryBlobStore({ directory: join(directory, 'blobs') });
  const { code } = await bundleFlow(join(import.meta.dirname, 'steps.ts'));
  const { hash } = await blobs.put(code);
  const executor = await createProcessExecutor({
    blobs,
    cacheDirectory: join(directory, 'cache'),
    slots: 2,
    memoryMb: 300,
    logBytesMax,
  });
  bench = { executor, blobs, bundleHash: hash, patienceMs: 15_000 };
}, 60_000);

afterAll(async () => {
  await bench?.executor.close();
  await bench?.blobs.close();
  await rm(directory, { recursive: true, force: true });
});

describe('TaskExecutor: child processes', () => {
  for (const { name, run } of cases) it(name, () => run(bench), 60_000);
});

describe('TaskExecutor: each mutant turns its case red', () => {
  for (const { name, mutant, run } of cases) {
    it(`${mutant}: ${name}`, async () => {
      const broken = mutants[mutant];
      if (broken === undefined) throw new Error(`there is no mutant '${mutant}'`);
      const error = await run({ ...bench, executor: broken(bench), patienceMs: 4_000 }).then(
        () => undefined,
        (failure: unknown) => failure,
      );
      if (error === undefined) throw new Error(`the case passes although the executor ${mutant}`);
    }, 60_000);
  }
});
