import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDirectoryBlobStore } from '../../../runtime/adapters/blobs/directory-blob-store.ts';
import { bundleFlow } from '../../../runtime/adapters/bundler/bundle-flow.ts';
import { createProcessExecutor } from '../../../runtime/adapters/process-executor/process-executor.ts';
import { eventually } from '../../../runtime/testing/index.ts';
import { isRunningNow, pidIn } from '../../conformance/task-executor/suite.ts';
import { compiledFile } from '../../compiled.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-orphans-'));
});
afterEach(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }));

describe('when the platform dies by kill -9', () => {
  it('leaves no step behind, not even one that never yields, and the next start removes its files', async () => {
    const blobs = await openDirectoryBlobStore({ directory: join(directory, 'blobs') });
    const { code } = await bundleFlow(join(import.meta.dirname, '../../conformance/task-executor/steps.ts'));
    const { hash } = await blobs.put(code);
    const pidFile = join(directory, 'pid');
    const args = [compiledFile(new URL('parent.ts', import.meta.url)), directory, hash, pidFile];
    const parent = spawn(process.execPath, args, { stdio: 'ignore' });
    const pid = await eventually('the step loops', () => pidIn(pidFile), 25_000);
    expect(await isRunningNow(pid)).toBe(true);
    parent.kill('SIGKILL');
    await eventually('the step is gone', async () => !(await isRunningNow(pid)));

    expect(await readdir(join(directory, 'cache'))).toHaveLength(1);
    const executor = await createProcessExecutor({ blobs, cacheDirectory: join(directory, 'cache'), slots: 1 });
    expect((await readdir(join(directory, 'cache'))).map((name) => Number(name.split('-')[0]))).toEqual([process.pid]);
    await executor.close();
    expect(await readdir(join(directory, 'cache'))).toEqual([]);
    await blobs.close();
  }, 60_000);
});
