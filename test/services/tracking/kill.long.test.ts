/** The server is killed in the middle of batches: what was acknowledged is there, and of nothing else a part. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../../runtime/testing/test-runtime.ts';
import { connect } from '../../../sdk/client/index.ts';
import { compiledFile } from '../../compiled.ts';

const main = compiledFile(new URL('../../../cli/main.ts', import.meta.url));
const metricsPerBatch = 200;
const writers = 4;
const kills = 3;
const batchesBeforeKill = 25;

let directory: string;
let url: string;
let port: number;
let server: ChildProcess | undefined;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-kill-batch-'));
  port = await freePort();
  url = `http://127.0.0.1:${port}`;
});
afterAll(async () => {
  server?.kill('SIGKILL');
  await rm(directory, { recursive: true, force: true, maxRetries: 5 });
});

async function start(): Promise<ChildProcess> {
  const words = ['serve', 'gateway', 'experiment-names', '--directory', join(directory, 'millrace')];
  const child = spawn(process.execPath, [main, ...words, '--set', `http.port=${port}`], { stdio: 'ignore' });
  server = child;
  const ready = (): Promise<boolean> =>
    fetch(`${url}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  await eventually('the server is ready', ready, 60_000);
  return child;
}

async function post(path: string, body: object): Promise<Record<string, unknown>> {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${url}/api/2.0/mlflow/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text.slice(0, 200)}`);
  return JSON.parse(text) as Record<string, unknown>;
}

it('keeps every acknowledged batch whole, and of the others all or nothing, over three kills', async () => {
  const acknowledged = new Set<number>();
  const asked: number[] = [];
  let run_id = '';
  for (let kill = 0; kill < kills; kill++) {
    const child = await start();
    if (run_id === '') {
      const { run } = (await post('runs/create', { experiment_id: '0', start_time: 1 })) as {
        run: { info: { run_id: string } };
      };
      run_id = run.info.run_id;
    }
    const wanted = acknowledged.size + batchesBeforeKill;
    const write = async (): Promise<void> => {
      for (;;) {
        const batch = asked.length;
        asked.push(batch);
        const metrics = Array.from({ length: metricsPerBatch }, (_, at) => ({
          key: `batch-${batch}`,
          value: at,
          timestamp: 1 + at,
          step: at,
        }));
        const params = [{ key: `batch-${batch}`, value: 'whole' }];
        const tags = [{ key: `batch-${batch}`, value: 'whole' }];
        try {
          await post('runs/log-batch', { run_id, metrics, params, tags });
        } catch {
          return;
        }
        acknowledged.add(batch);
        // Others are under way at this moment.
        if (acknowledged.size >= wanted) child.kill('SIGKILL');
      }
    };
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    await Promise.all([...Array.from({ length: writers }, write), gone]);
  }

  await start();
  const client = connect({ url });
  const run = await client.tracking.run(run_id);
  let parts = 0;
  for (const batch of asked) {
    const key = `batch-${batch}`;
    let points = 0;
    for await (const point of client.tracking.history(run_id, key)) points += point.value >= 0 ? 1 : 0;
    const seen = [points, run.params[key], run.tags[key], run.metrics[key]];
    const whole = [metricsPerBatch, 'whole', 'whole', metricsPerBatch - 1];
    if (acknowledged.has(batch) || points > 0) expect(seen, key).toEqual(whole);
    else expect(seen, key).toEqual([0, undefined, undefined, undefined]);
    parts += 1;
  }
  expect(parts).toBe(asked.length);
  expect(acknowledged.size).toBeGreaterThanOrEqual(kills * batchesBeforeKill);
  expect(asked.length).toBeGreaterThan(acknowledged.size);
}, 240_000);

async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
