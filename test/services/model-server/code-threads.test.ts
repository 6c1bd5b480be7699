/** Limits on the time of custom code while the thread that waits for it is busy, as it is when models run in it. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestRuntime, type TestRuntime } from '../../../runtime/testing/test-runtime.ts';
import { CodeThreads } from '../../../services/model-server/code/code-threads.ts';
import { tensor } from './linear-runtime.ts';

let test: TestRuntime;
let threads: CodeThreads;
let directory: string;
let answered: string;
let hash: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-code-threads-'));
  answered = join(directory, 'answered');
  test = await createTestRuntime();
  const bundle = `
    import { writeFileSync } from 'node:fs';
    let calls = 0;
    const count = () => {
      calls += 1;
      writeFileSync(${JSON.stringify(answered)}, '');
      return { y: calls };
    };
    const busy = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    // busy now and then: the answer to a ping takes a moment
    const never = () => new Promise(() => setInterval(busy, 1));
    const functions = new Map([['count', count], ['never', never]]);
    export default { millraceDeployment: 1, functions };
  `;
  ({ hash } = await test.runtime.parts.blobs.put(Buffer.from(bundle)));
  threads = new CodeThreads(test.runtime.parts.blobs);
});
afterAll(async () => {
  await threads.close();
  await test.close();
  await rm(directory, { recursive: true, force: true });
});

async function run(name: string, timeoutMs: number): Promise<number> {
  const answer = await threads.run({
    code: { hash, function: name },
    form: 'row',
    rows: 1,
    inputs: [{ name: 'input', tensors: [tensor([1, 2])] }],
    request: [],
    timeoutMs,
    memoryMb: 64,
    models: [],
    ask: () => Promise.reject(new Error('asks nothing')),
  });
  if (answer.type !== 'tensors') throw new Error(`answered with ${answer.type}`);
  return Number(answer.tensors[0]?.data[0]);
}

function busyFor(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

it('an answer that came in time is heard, and its thread kept, though this thread was busy until after the limit', async () => {
  await threads.warm({ hash, function: 'count' }, 64);
  // behind an immediate come the timers that are due, then what was sent meanwhile
  await new Promise(setImmediate);
  const answer = run('count', 100);
  process.nextTick(() => {
    while (!existsSync(answered)) busyFor(5);
    busyFor(300);
  });
  expect(await answer).toBe(1);
});

it('a thread that answers a ping at once is kept, though this thread is too busy to hear it', async () => {
  const late = expect(run('never', 50)).rejects.toMatchObject({ code: 'TIMEOUT' });
  let over = false;
  const busy = (): void => {
    if (over) return;
    busyFor(400);
    setImmediate(busy);
  };
  setImmediate(busy);
  await late;
  over = true;
  // a new thread would count from one
  expect(await run('count', 20_000)).toBe(2);
});
