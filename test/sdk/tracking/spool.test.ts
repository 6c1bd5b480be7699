import { appendFile, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type RunLogger, startRun, type StartRunOptions, syncSpool } from '../../../sdk/tracking/index.ts';
import { openTracking, type TrackingFixture } from '../../services/tracking/tracking-fixture.ts';

let fixture: TrackingFixture;
let url: string;
let directory: string;
beforeAll(async () => {
  fixture = await openTracking();
  url = await fixture.url();
  directory = await mkdtemp(join(tmpdir(), 'millrace-spool-'));
});
afterAll(async () => {
  await fixture.close();
  await rm(directory, { recursive: true, force: true });
});

const away = 'http://127.0.0.1:9';
let spools = 0;
/** A logger with a spool of its own, and what it warned of. */
function logger(more: Partial<StartRunOptions> = {}): { run: RunLogger; spool: string; warned: string[] } {
  const spool = join(directory, String(spools++));
  const warned: string[] = [];
  const run = startRun({ url, spool, source: false, warn: (message) => void warned.push(message), ...more });
  return { run, spool, warned };
}
const shown = async (run_id: string) => (await fixture.get('runs/get', { run_id })).body.run;
const only = async (spool: string): Promise<string> => join(spool, (await readdir(spool))[0] ?? '');

describe('what a program logs', () => {
  it('goes past a line that a full disk has cut, which is kept aside', async () => {
    const { run, spool } = logger({ url: away });
    run.param('before', 1);
    await run.close(150);
    const folder = await only(spool);
    await appendFile(join(folder, 'entries.jsonl'), '{"type":"values","metr{"type":"values"}\n');
    const rest = { type: 'values', metrics: [], params: [{ key: 'after', value: '2' }], tags: [] };
    await appendFile(join(folder, 'entries.jsonl'), `${JSON.stringify(rest)}\n{"type":"end"`);
    const [synced] = await syncSpool({ url, spool });
    expect(synced).toMatchObject({ runId: run.runId, refused: [expect.stringContaining('was cut')] });
    expect((await shown(run.runId)).data.params).toEqual(
      expect.arrayContaining([
        { key: 'before', value: '1' },
        { key: 'after', value: '2' },
      ]),
    );
    expect(await readFile(join(folder, 'refused.jsonl'), 'utf8')).toContain('metr{');
    await syncSpool({ url, spool });
    expect(await readdir(spool)).toHaveLength(1);
  });

  it('is left to a program that is still there, and taken over when it is gone', async () => {
    const { run, spool } = logger({ url: away });
    run.metric('loss', 1);
    await run.flush(50);
    expect(await syncSpool({ url, spool })).toEqual([]);
    const owner = join(await only(spool), 'owner');
    const [place] = (await readFile(owner, 'utf8')).split(' ');
    await run.close(150);
    const left = async (who: string, secondsAgo: number) => {
      await writeFile(owner, who);
      await utimes(owner, Date.now() / 1_000 - secondsAgo, Date.now() / 1_000 - secondsAgo);
      return await syncSpool({ url, spool });
    };
    expect(await left('elsewhere 1', 30)).toEqual([]);
    expect(await left(`${place} ${process.ppid}`, 30)).toEqual([]);
    // busy, or another one with its number: sent, and left where it is
    expect(await left(`${place} ${process.ppid}`, 90)).toMatchObject([{ runId: run.runId, sent: 2, refused: [] }]);
    expect((await shown(run.runId)).data.metrics).toMatchObject([{ key: 'loss', value: 1 }]);
    expect(await left(`${place} ${process.ppid}`, 90)).toEqual([]);
    expect(await readdir(spool)).toHaveLength(1);
    expect(await left(`${place} ${2 ** 22 + 1}`, 0)).toMatchObject([{ sent: 0 }]);
    expect(await readdir(spool)).toEqual([]);
  });

  it('is not removed while somebody writes into it', async () => {
    const { run, spool } = logger({ url: away });
    await run.close(50);
    const file = join(await only(spool), 'entries.jsonl');
    const syncing = syncSpool({ url, spool });
    const late = { type: 'values', metrics: [], params: [{ key: 'late', value: '1' }], tags: [] };
    await appendFile(file, `${JSON.stringify(late)}\n`);
    await syncing;
    expect(await readdir(spool)).toHaveLength(1);
    await syncSpool({ url, spool });
    expect(await readdir(spool)).toEqual([]);
    expect((await shown(run.runId)).data.params).toEqual([{ key: 'late', value: '1' }]);
  });

  it('loses nothing but what is refused: a parameter takes no metric and no tag with it', async () => {
    const key = `refused-${spools}`;
    const first = logger({ key });
    first.run.param('depth', 1);
    expect(await first.run.close(30_000)).toBe(true);
    const { run, spool, warned } = logger({ key });
    run.param('depth', 2);
    run.tag('team', 'red');
    for (let step = 0; step < 900; step++) run.metric('loss', step, step);
    expect(await run.end()).toBe(false);
    expect(warned.join('\n')).toMatch(/refused a part of it: [^]*what it refused is kept in/);
    const { data, info } = await shown(run.runId);
    expect(info.status).toBe('FINISHED');
    expect(data.params).toEqual([{ key: 'depth', value: '1' }]);
    expect(data.metrics).toMatchObject([{ key: 'loss', value: 899 }]);
    expect(data.tags).toContainEqual({ key: 'team', value: 'red' });
    const kept = (await readFile(join(await only(spool), 'refused.jsonl'), 'utf8')).trim().split('\n');
    expect(kept.map((line) => (JSON.parse(line) as { entry: object }).entry)).toEqual([
      { type: 'values', metrics: [], params: [{ key: 'depth', value: '2' }], tags: [] },
    ]);
  });

  it('begins when there is a place to write again', async () => {
    const file = join(directory, 'full');
    await writeFile(file, '');
    vi.stubEnv('TMPDIR', file);
    const { run, warned } = logger({ spool: join(file, 'spool') });
    vi.unstubAllEnvs();
    run.tag('lost', '1');
    expect(await run.flush()).toBe(false);
    await rm(file);
    run.tag('kept', '1');
    expect(await run.end('FINISHED', 30_000)).toBe(true);
    expect(warned.join('\n')).toMatch(/cannot be written either[^]*is lost/);
    const tags = (await shown(run.runId)).data.tags as readonly { key: string }[];
    expect(tags.map(({ key }) => key)).toEqual(expect.arrayContaining(['kept']));
  });

  it('never breaks its training: no file, no folder, no place to write', async () => {
    const { run, spool, warned } = logger();
    run.artifact('weights', { file: join(directory, 'nowhere') });
    expect(warned).toEqual([expect.stringContaining('is lost')]);
    run.metric('loss', 0.5);
    expect(await run.end('FINISHED', 30_000)).toBe(true);
    expect(await readdir(spool)).toEqual([]);
    const file = join(directory, 'a file');
    await writeFile(file, '');
    const other = logger({ spool: join(file, 'spool') });
    other.run.metric('loss', 0.25);
    expect(await other.run.end('FINISHED', 30_000)).toBe(true);
    expect(other.warned).toEqual([expect.stringContaining('cannot be written')]);
    expect((await shown(other.run.runId)).info.status).toBe('FINISHED');
  });

  it('of a run that may not begin does not hold up the others', async () => {
    const experiment = await fixture.experiment('closed');
    await fixture.post('experiments/delete', { experiment_id: experiment });
    const refused = logger({ url: away, experiment: 'closed' });
    await refused.run.end('FINISHED', 150);
    const fine = logger({ url: away, spool: refused.spool });
    await fine.run.end('FINISHED', 150);
    const synced = await syncSpool({ url, spool: refused.spool });
    expect(synced).toMatchObject([{ refused: [expect.stringContaining('deleted')] }, { sent: 2, refused: [] }]);
    expect(await readdir(refused.spool)).toHaveLength(1);
  });
});

describe('autolog', () => {
  it('logs parameters, quality, data and a model that is registered as it is, in one call', async () => {
    const { run } = logger({ name: 'linear' });
    const x = { values: Float64Array.of(1, 2, 3, 4), rows: 4, columns: 1 };
    const model = {
      family: 'line',
      parameters: { slope: 2 },
      onnx: new Uint8Array([8, 7]),
      predict: ({ values }: { values: ArrayLike<number> }) => Array.from(values, (value) => 2 * value),
    };
    const train = { x, y: [2, 4, 6, 8] };
    const test = { x, y: [3, 5, 7, 9], name: 'later' };
    const quality = run.autolog(model, { train, test, name: 'line', outputName: 'price' });
    expect(quality).toEqual({
      'line/rmse': 1,
      'line/mae': 1,
      'line/r2': 0.8,
      'line/training_rmse': 0,
      'line/training_mae': 0,
      'line/training_r2': 1,
    });
    await run.end();
    const { data, inputs } = await shown(run.runId);
    expect(data.params).toEqual([
      { key: 'line/family', value: 'line' },
      { key: 'line/slope', value: '2' },
    ]);
    expect(data.metrics).toHaveLength(6);
    expect(inputs.dataset_inputs).toMatchObject([
      { dataset: { name: 'later', digest: expect.stringMatching(/^[0-9a-f]{32}$/) } },
      { dataset: { name: 'training' } },
    ]);
    await fixture.post('registered-models/create', { name: 'line' });
    const source = `runs:/${run.runId}/line/model`;
    await fixture.post('model-versions/create', { name: 'line', source, run_id: run.runId });
    const { body } = await fixture.call('GET', '/api/v1/models/line');
    expect(body.versions[0]).toMatchObject({ artifact: { codec: 'onnx', sizeBytes: 2 } });
    const signature = JSON.parse(body.versions[0].tags['millrace.signature']) as string[];
    expect(JSON.parse(signature[1] ?? '')).toEqual([
      { name: 'price', type: 'tensor', 'tensor-spec': { dtype: 'float32', shape: [-1, 1] } },
    ]);
  });
});
