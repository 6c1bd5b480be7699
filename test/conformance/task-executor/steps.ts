/** The flow whose steps the suite runs; bundled by the suite, so that it goes through the same door as a user's. */
import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { flow } from '../../../sdk/index.ts';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export default flow('conformance')
  .parameter('path', { type: 'string', default: '' })
  .step('values', (_, { parameters, runId, taskId, attempt, idempotencyKey }) => ({
    plain: { a: [1, 'two', null] },
    vector: new Float64Array([1.5, -2]),
    raw: new Uint8Array([1, 2, 3]),
    big: new Uint8Array(200_000).fill(7),
    context: { path: parameters.path, runId, taskId, attempt, idempotencyKey },
  }))
  .step('reads', ({ plain, vector, raw, big }) => ({
    seen: { plain, first: vector[0], raw: [...raw], big: big.length, sum: big.reduce((a, b) => a + b, 0) },
  }))
  .step('peeks', ({ plain }) => ({ first: plain.a[0] }))
  .step('saves', async (_, { checkpoint }) => {
    const began = performance.now();
    await checkpoint.save({ epoch: 1 }, 'weights');
    return { waitedMs: performance.now() - began };
  })
  .step('continues', async (_, { checkpoint }) => ({ from: await checkpoint.load('weights') }))
  .step('registers', (_, { models }) => {
    models.register('m', { onnx: new Uint8Array([9, 9]), metrics: { error: 0.5 }, tags: { a: 'b' }, alias: 'best' });
  })
  .step('throws', () => {
    throw new RangeError('the step broke');
  })
  .step('rejects-later', async () => {
    void Promise.reject(new Error('nobody waits for this'));
    await sleep(60_000);
  })
  .step('exits', () => process.exit(3))
  .step('crashes', () => process.kill(process.pid, 'SIGSEGV') as never)
  .step('loops', ({}, { parameters }) => {
    if (parameters.path !== '') writeFileSync(parameters.path, String(process.pid));
    for (;;) Math.random();
  })
  .step('sleeps', () => sleep(60_000))
  .step('waits', async ({}, { parameters, log }) => {
    log('waiting');
    while (!existsSync(parameters.path)) await sleep(20);
    return { waited: true };
  })
  .step('tells', ({}, { log }) => {
    const { SECRET = '' } = process.env;
    log(`the secret is ${SECRET}`);
    return { length: SECRET.length };
  })
  .step('spawns', async (_, { parameters }) => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    writeFileSync(parameters.path, String(child.pid));
    await sleep(60_000);
  })
  .step('eats', () => {
    const hoard: object[] = [];
    for (;;) hoard.push(Array.from({ length: 100_000 }, (_, index) => ({ index })));
  })
  .step('talks', ({}, { log }) => {
    console.log('first');
    console.error('second');
    process.stdout.write('third\n');
    log('fourth', { n: 4 });
  })
  .step('floods', () => {
    for (let line = 0; line < 60_000; line++) console.log(`line ${line} ${'x'.repeat(80)}`);
  })
  .step('unstorable', () => ({ model: { predict: () => 1 } }));
