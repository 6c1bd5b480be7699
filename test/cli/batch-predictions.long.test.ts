/** Files through a deployment, as their user sees it: `millrace predictions batch` before a whole platform. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleFlow } from '../../runtime/adapters/bundler/bundle-flow.ts';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import { eventually } from '../../runtime/testing/test-runtime.ts';
import { type Client, connect } from '../../sdk/client/index.ts';
import { deployment } from '../../sdk/index.ts';
import { type Platform, startPlatform } from '../../services/all-in-one/platform.ts';
import { millrace } from './cli-driver.ts';

const models = new URL('../models/', import.meta.url);
const token = 'a-token-that-every-call-needs';
let directory: string;
let platform: Platform;
let client: Client;
let rows: number[][];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-batch-'));
  platform = await startPlatform({
    configuration: resolveConfiguration({
      flags: { directory, 'http.port': '0', 'http.token': token },
      environment: {},
    }),
    only: [
      'deployments',
      'registry',
      'flow-starts',
      'run-progress',
      'provenance',
      'step-worker',
      'model-server',
      'gateway',
    ],
  });
  await platform.ready();
  client = connect({ url: platform.url!, actor: 'ada', token });
  const name = 'iris-logreg';
  const { hash, sizeBytes } = await platform.runtime.parts.blobs.put(await readFile(new URL(`${name}.onnx`, models)));
  const unknown = { runId: null, taskId: null, flow: null, metrics: {}, tags: {}, alias: null, description: '' };
  const artifact = { name, hash, sizeBytes, codec: 'onnx' };
  const data = { model: name, requestId: name, artifact, ...unknown, actor: 'ada' };
  await platform.runtime.publish([{ topic: 'registry', type: 'version-requested', data, key: name, id: name }]);
  await eventually('the model', async () => (await client.models.list()).length === 1);
  await client.deploy(deployment(name).route('main', `models:/${name}/1`));
  const said = JSON.parse(await readFile(new URL(`${name}.json`, models), 'utf8')) as {
    readonly cases: readonly { readonly inputs: readonly { readonly shape: number[]; readonly data: number[] }[] }[];
  };
  const [input] = said.cases[0]!.inputs;
  const [count, width] = input!.shape;
  rows = Array.from({ length: count! }, (_, row) => input!.data.slice(row * width!, (row + 1) * width!));
}, 60_000);
afterAll(async () => {
  await platform.close();
  await rm(directory, { recursive: true, force: true });
});

const withToken = ['--set', `http.token=${token}`];

describe('a file of rows', () => {
  const batch = async (data: string, ...words: readonly string[]): Promise<readonly Record<string, unknown>[]> => {
    const out = join(directory, 'results.jsonl');
    const said = await millrace([
      'predictions',
      'batch',
      'iris-logreg',
      data,
      '--out',
      out,
      ...words,
      '--url',
      platform.url!,
      ...withToken,
    ]);
    if (said.code !== 0) throw new Error(said.err + said.out);
    return (await readFile(out, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };

  it('goes through a deployment in chunks, each a task, with the answers that single requests get', async () => {
    const file = join(directory, 'flowers.csv');
    await writeFile(file, ['a,b,c,d', ...rows.map((row) => row.join(','))].join('\n'));
    const results = await batch(file, '--chunk-rows', '5');
    expect(results.map(({ row }) => row)).toEqual(rows.map((_, at) => at));
    const alone = await client.predict('iris-logreg', { rows });
    const labels = alone.outputs.find(({ name }) => name === 'label')!.data;
    expect(results.map(({ outputs }) => (outputs as { label: number }).label)).toEqual(labels);
    // Chunks are requests of their own, with an id that a repeat has too.
    expect(new Set(results.map(({ predictionId }) => predictionId)).size).toBe(Math.ceil(rows.length / 5));
    const [run] = await client.runs.list({ flow: 'batch-predictions', limit: 1 });
    const [summary] = await client.artifacts.list({ runId: run!.runId, name: 'summary' });
    expect(await summary!.value()).toEqual({ rows: rows.length, answered: rows.length, refused: 0, chunks: 3 });
    // An artifact of a run is as good as a file.
    const again = await batch(`${run!.runId}/predictions`, '--format', 'jsonl').catch((error: unknown) =>
      String(error),
    );
    expect(again).toMatch(/has no 'outputs'|rows hold numbers/);
  }, 120_000);

  it('says which rows are wrong, and answers the others', async () => {
    const file = join(directory, 'mixed.jsonl');
    const lines = rows.slice(0, 6).map((row) => JSON.stringify(row));
    lines[4] = JSON.stringify(['a', 'b', 'c', 'd']);
    await writeFile(file, lines.join('\n'));
    const results = await batch(file);
    expect(results.flatMap(({ row, error }) => (error === undefined ? [] : [row]))).toEqual([4]);
    expect(results[4]).toMatchObject({ error: { code: 'INVALID_ARGUMENT' } });
  }, 60_000);

  it.each(['parquet', 'arrow'])(
    'is a table of %s, and its answers are one, too',
    async (format) => {
      const { parquetReadObjects } = await import('hyparquet');
      const { parquetWriteBuffer } = await import('hyparquet-writer');
      const { tableFromArrays, tableFromIPC, tableToIPC } = await import('apache-arrow');
      const [file, out] = [join(directory, `flowers.${format}`), join(directory, `answers.${format}`)];
      const columns = ['a', 'b', 'c', 'd'].map((name, at) => ({ name, data: rows.map((row) => row[at] ?? 0) }));
      const bytes =
        format === 'parquet'
          ? new Uint8Array(parquetWriteBuffer({ columnData: columns.map((column) => ({ ...column, type: 'DOUBLE' })) }))
          : tableToIPC(tableFromArrays(Object.fromEntries(columns.map(({ name, data }) => [name, data]))), 'file');
      await writeFile(file, bytes);
      const asked = ['predictions', 'batch', 'iris-logreg', file, '--out', out, '--url', platform.url!, ...withToken];
      const said = await millrace(asked);
      expect(said.err + said.out).toMatch(/written to/);
      const written = await readFile(out);
      const answers =
        format === 'parquet'
          ? await parquetReadObjects({ file: new Uint8Array(written).buffer })
          : tableFromIPC(written)
              .toArray()
              .map((row: { toJSON(): Record<string, unknown> }) => row.toJSON());
      const alone = await client.predict('iris-logreg', { rows });
      // whole numbers of 64 bits, as the model says them
      expect(answers.map(({ label }) => label)).toEqual(
        alone.outputs.find(({ name }) => name === 'label')!.data.map((label) => BigInt(label as number)),
      );
      expect(answers[0]).toMatchObject({ row: 0, route: 'main', error_code: null });
    },
    120_000,
  );

  it('goes on where it stopped, with the tasks that have no answers yet', async () => {
    const file = new URL('../../services/batch-predictions/batch-flow.ts', import.meta.url);
    const data = await client.files.upload(Buffer.from(JSON.stringify(rows.slice(0, 4))));
    const given = { deployment: 'late', data, format: 'json', chunkRows: 2 };
    const { runId } = await client.flows.run(await bundleFlow(fileURLToPath(file)), given);
    const failed = async () => (await client.runs.show(runId)).status === 'failed';
    await eventually('nobody answers for a deployment that is not there', failed, 30_000);
    expect((await client.runs.show(runId)).failure).toMatch(/there is no deployment 'late'/);
    await client.deploy(deployment('late').route('main', 'models:/iris-logreg/1'));
    const resumed = await millrace(['resume', runId, '--url', platform.url!, ...withToken]);
    expect(resumed.out).toMatch(/completed/);
    const [summary] = await client.artifacts.list({ name: 'summary', limit: 1 });
    expect(await summary!.value()).toMatchObject({ rows: 4, answered: 4, chunks: 2 });
    const tasks = (await client.runs.show(summary!.runId)).tasks;
    expect(tasks.find(({ taskId }) => taskId === 'read')!.originRunId).toBe(runId);
  }, 90_000);
});
