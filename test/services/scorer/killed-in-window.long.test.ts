/** The platform is killed in the middle of a window, again and again: the verdict is the one of these rows, and comes once. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../../runtime/testing/test-runtime.ts';
import { type Client, connect } from '../../../sdk/client/index.ts';
import { encodeLinearRegression } from '../../../sdk/onnx/index.ts';
import { seededRandom } from '../../../statistics/random.ts';
import { compiledFile } from '../../compiled.ts';
import { millrace } from '../../cli/cli-driver.ts';

const main = compiledFile(new URL('../../../cli/main.ts', import.meta.url));
const rowsOf = 40;
/** Rows that were answered when the process is killed: within the reference, within each window, and right behind the last row of one. */
const kills = [17, 61, 80, 103, 120];
const seed = 'killed in a window';

let folder: string;
let url: string;
let server: ChildProcess | undefined;
let output = '';
let client: Client;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-killed-in-window-'));
  url = `http://127.0.0.1:${await freePort()}`;
  client = connect({ url });
});
afterAll(async () => {
  server?.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
});

async function start(): Promise<void> {
  const words = ['serve', '--directory', join(folder, 'data'), '--set', `http.port=${new URL(url).port}`];
  const child = spawn(process.execPath, [main, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  server = child;
  const hear = (chunk: Buffer): void => void (output = `${output}${chunk.toString()}`.slice(-4_000));
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  const ready = async (): Promise<boolean> => {
    if (child.exitCode !== null) throw new Error(`the platform ended by itself:\n${output}`);
    return await fetch(`${url}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  };
  await eventually('the platform is ready', ready, 120_000);
}

async function kill(): Promise<void> {
  const child = server;
  if (child === undefined) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGKILL');
  await gone;
}

/** The largest distance of the two distribution functions, by its definition. */
function distance(a: readonly number[], b: readonly number[]): number {
  const share = (values: readonly number[], at: number): number =>
    values.filter((value) => value <= at).length / values.length;
  return Math.max(...[...a, ...b].map((at) => Math.abs(share(a, at) - share(b, at))));
}

it('says of each window what is true of its rows, once, and computes it again', async () => {
  const random = seededRandom(seed);
  const rows = Array.from({ length: 3 * rowsOf }, (_, at) => [random.normal() + (at < 2 * rowsOf ? 0 : 3)]);
  await start();
  await register();
  const detectors = [
    { name: 'values', method: 'kolmogorov-smirnov', alpha: 0.001, reference: { kind: 'first', rows: rowsOf } },
  ];
  await writeFile(
    join(folder, 'deployment.json'),
    JSON.stringify({
      ...{ name: 'line', routes: [{ name: 'main', model: 'models:/line/1' }], features: ['x'] },
      monitors: { window: { rows: rowsOf, maxAgeMs: 3_600_000 }, detectors },
    }),
  );
  expect(await millrace(['deploy', join(folder, 'deployment.json'), '--url', url])).toMatchObject({ code: 0 });
  for (const [at, row] of rows.entries()) {
    // a model may still be on its way into the process that has just begun
    await eventually(
      `row ${at}`,
      async () => await client.predict('line', { rows: [row] }, { id: `row-${at}`, entity: 'one' }),
      60_000,
    );
    if (!kills.includes(at + 1)) continue;
    await kill();
    await start();
  }

  const listed = await eventually(
    'both verdicts',
    async () => {
      const found = await client.maintenance.findings({ kind: 'drift', deployment: 'line' });
      return found.length >= 2 ? found : undefined;
    },
    120_000,
  );
  const shown = await Promise.all(listed.map(async ({ id }) => (await client.drift.show(id)).finding));
  const values = rows.map(([x = 0]) => Math.fround(x));
  const [reference, second, third] = [0, 1, 2].map((window) => values.slice(window * rowsOf, (window + 1) * rowsOf));
  const expected = [second, third].map((window) => distance(reference ?? [], window ?? []));
  const said = shown.flatMap(({ features }) => features.map(({ statistic }) => statistic));
  expect(
    said.toSorted((a, b) => a - b),
    `seed '${seed}'`,
  ).toEqual(expected.toSorted((a, b) => a - b).map((d) => expect.closeTo(d, 12)));
  for (const { id } of listed) expect(await client.drift.replay(id)).toMatchObject({ same: true, rows: rowsOf });
}, 400_000);

async function register(): Promise<void> {
  const onnx = encodeLinearRegression({ coefficients: [2], intercept: 1, outputName: 'y' });
  const flow = join(folder, 'flow.ts');
  await writeFile(join(folder, 'line.onnx'), onnx);
  const bytes = (await readFile(join(folder, 'line.onnx'))).toString('base64');
  await writeFile(
    flow,
    `import { flow } from 'millrace';
export default flow('line').step('train', (_, { models }) => {
  models.register('line', { onnx: Buffer.from('${bytes}', 'base64') });
});
`,
  );
  expect(await millrace(['run', flow, '--url', url])).toMatchObject({ code: 0 });
}

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
