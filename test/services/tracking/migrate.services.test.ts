/** An MLflow server is taken over, and given back, by the command line: a real server of 3.x on the other side. */
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MlflowServer } from '../../../cli/mlflow/mlflow-server.ts';
import type { MlflowLoggedModel, MlflowRun } from '../../../schemas/api/mlflow.ts';
import { resolveConfiguration } from '../../../runtime/config/resolve.ts';
import { type Client, connect } from '../../../sdk/client/index.ts';
import { type Platform, startPlatform } from '../../../services/all-in-one/platform.ts';
import { millrace, type Said } from '../../cli/cli-driver.ts';
import { compiledFile } from '../../compiled.ts';
import { clientEnvironment, mlflowPython, type MlflowProcess, startMlflow } from './mlflow-server.ts';

const run = promisify(execFile);
const script = fileURLToPath(new URL('./fill_mlflow.py', import.meta.url));

let directory: string;
let platform: Platform;
let client: Client;
let mlflow: MlflowProcess;
let filled: {
  readonly runs: readonly string[];
  readonly deleted: string;
  readonly logged: string;
  readonly model: string;
};
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-migrate-'));
  mlflow = await startMlflow(join(directory, 'mlflow'));
  const { stdout } = await run(await mlflowPython(), [script], { env: clientEnvironment(mlflow.url) });
  filled = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as typeof filled;
  const flags = { directory: join(directory, 'millrace'), 'http.port': '0' };
  platform = await startPlatform({
    configuration: resolveConfiguration({ environment: {}, flags }),
    only: ['registry', 'experiment-names', 'provenance', 'gateway'],
  });
  await platform.ready();
  client = connect({ url: platform.url });
}, 500_000);
afterAll(async () => {
  await platform.close();
  await mlflow.close();
  await rm(directory, { recursive: true, force: true });
});

const cli = (...words: readonly string[]): Promise<Said> => millrace([...words, '--url', platform.url ?? '', '--json']);

describe('millrace import mlflow', { timeout: 300_000 }, () => {
  it('takes over experiments, runs with every point and file, and models with their numbers, compared with the source', async () => {
    const { out, err, code } = await cli('import', 'mlflow', mlflow.url);
    expect(code, out + err).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      experiments: 3,
      runs: { copied: 6, unchanged: 0, points: 947, files: 6 },
      loggedModels: 1,
      models: 1,
      versions: 2,
      problems: [],
    });
    const [first = '', , third = ''] = filled.runs;
    const copy = await client.tracking.run(first);
    expect(copy).toMatchObject({
      name: 'tree 0',
      status: 'FINISHED',
      params: { depth: '0' },
      metrics: { loss: 1 / 900, odd: Number.NaN, big: Number.MAX_VALUE },
    });
    expect(copy.tags).toMatchObject({ kind: 'apple', naïve: 'größe 文' });
    expect(await client.tracking.run(third)).toMatchObject({ status: 'FAILED' });
    expect(await client.tracking.run(filled.deleted)).toMatchObject({ lifecycle: 'deleted' });
    expect(await client.tracking.run(filled.logged)).toMatchObject({ datasets: [{ name: 'apples', digest: 'd1' }] });
    const { model } = (await new MlflowServer({ url: platform.url ?? '' }).get(`logged-models/${filled.model}`)) as {
      model: MlflowLoggedModel;
    };
    expect(model).toMatchObject({
      info: { name: 'forest', status: 'LOGGED_MODEL_READY', source_run_id: filled.logged },
      data: { params: [{ key: 'trees', value: '9' }], metrics: [{ key: 'auc', value: 0.75, run_id: filled.logged }] },
    });
    const bytes = await client.tracking.artifact(third, 'model/data/weights.bin');
    expect(Buffer.from(bytes).equals(Buffer.from(Array.from({ length: 76_800 }, (_, at) => at % 256)))).toBe(true);
    expect((await client.tracking.experiment('orchard')).tags).toMatchObject({ team: 'fruit' });
    expect((await client.tracking.experiments({ view: 'DELETED_ONLY' })).map(({ name }) => name)).toEqual(['gone']);
    const versions = await client.registry.versions("name = 'apples'");
    expect(versions.map(({ version, stage, runId, tags }) => [version, stage, runId, tags['n']]).sort()).toEqual([
      [1, 'Staging', first, '0'],
      [3, 'None', third, '2'],
    ]);
    expect(await client.registry.model('apples')).toMatchObject({
      description: '**Apples**',
      aliases: { champion: 3 },
    });
  });

  it('changes nothing a second time, and takes over what has changed since', async () => {
    const again = async (): Promise<{ copied: number; unchanged: number }> =>
      (JSON.parse((await cli('import', 'mlflow', mlflow.url)).out) as { runs: { copied: number; unchanged: number } })
        .runs;
    expect(await again()).toMatchObject({ copied: 0, unchanged: 6 });
    await new MlflowServer({ url: mlflow.url }).post('runs/set-tag', {
      run_id: filled.runs[0],
      key: 'late',
      value: 'yes',
    });
    expect(await again()).toMatchObject({ copied: 1, unchanged: 5 });
    expect((await client.tracking.run(filled.runs[0] ?? '')).tags['late']).toBe('yes');
  });

  it('is killed over and over, and is whole in the end', async () => {
    const other = join(directory, 'killed');
    const killed = await startPlatform({
      configuration: resolveConfiguration({ environment: {}, flags: { directory: other, 'http.port': '0' } }),
      only: ['registry', 'experiment-names', 'provenance', 'gateway'],
    });
    try {
      const words = ['import', 'mlflow', mlflow.url, '--url', killed.url ?? '', '--json'];
      let out = '';
      for (let afterMs = 400; out === ''; afterMs *= 1.5) {
        const child = spawn(process.execPath, [
          compiledFile(new URL('../../../cli/main.ts', import.meta.url)),
          ...words,
        ]);
        child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
        const ended = new Promise((resolve) => child.once('close', resolve));
        const timer = setTimeout(() => child.kill('SIGKILL'), afterMs);
        await ended;
        clearTimeout(timer);
      }
      expect(JSON.parse(out)).toMatchObject({ experiments: 3, loggedModels: 1, models: 1, versions: 2, problems: [] });
      const there = connect({ url: killed.url ?? '' });
      const { runs } = await there.tracking.search({ view: 'ALL', experiments: ['orchard'] });
      expect(runs.map(({ name }) => name).sort()).toEqual(['deleted', 'logged', 'tree 0', 'tree 1', 'tree 2']);
      let points = 0;
      for await (const _ of there.tracking.history(filled.runs[0] ?? '', 'loss')) points += 1;
      expect(points).toBe(900);
    } finally {
      await killed.close();
    }
  });

  it('takes over a server of 2.x as well', async () => {
    const older = await startMlflow(join(directory, 'older'), { version: '2.17.2' });
    const other = join(directory, 'of-older');
    const taken = await startPlatform({
      configuration: resolveConfiguration({ environment: {}, flags: { directory: other, 'http.port': '0' } }),
      only: ['registry', 'experiment-names', 'provenance', 'gateway'],
    });
    try {
      await run(await mlflowPython('2.17.2'), [script], { env: clientEnvironment(older.url) });
      const { out, err, code } = await millrace(['import', 'mlflow', older.url, '--url', taken.url ?? '', '--json']);
      expect(code, out + err).toBe(0);
      expect(JSON.parse(out)).toMatchObject({
        ...{ experiments: 3, runs: { copied: 6, points: 946, files: 6 }, loggedModels: 0 },
        ...{ models: 1, versions: 2, problems: [] },
      });
    } finally {
      await taken.close();
      await older.close();
    }
  }, 600_000);

  it('goes on where it was interrupted', async () => {
    const [, second = ''] = filled.runs;
    // As a copy is that was begun, and has no mark yet.
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ run_id: second, key: 'millrace.copied' });
    await fetch(`${platform.url}/api/2.0/mlflow/runs/delete-tag`, { method: 'POST', headers, body });
    const { out } = await cli('import', 'mlflow', mlflow.url);
    expect(JSON.parse(out)).toMatchObject({ runs: { copied: 1, unchanged: 5, points: 22 }, problems: [] });
  });

  it('says what it cannot reach', async () => {
    const { code, err } = await cli('import', 'mlflow', 'http://127.0.0.1:9');
    expect([code, err]).toEqual([7, expect.stringContaining('127.0.0.1:9')]);
  });
});

describe('millrace export mlflow', () => {
  it('gives an MLflow server what is tracked, once', async () => {
    const empty = await startMlflow(join(directory, 'empty'));
    try {
      const { out, code } = await cli('export', 'mlflow', empty.url, '--experiment', 'orchard');
      expect(code, out).toBe(0);
      expect(JSON.parse(out)).toMatchObject({
        experiments: 1,
        runs: { copied: 5, points: 947 },
        loggedModels: 1,
        models: 1,
        problems: [],
      });
      const server = new MlflowServer({ url: empty.url });
      const found: MlflowRun[] = [];
      for await (const experiment of server.experiments()) {
        for await (const each of server.runs(experiment.experiment_id)) found.push(each);
      }
      expect(found.map(({ info }) => info.run_name).sort()).toEqual([
        'deleted',
        'logged',
        'tree 0',
        'tree 1',
        'tree 2',
      ]);
      const models: MlflowLoggedModel[] = [];
      for await (const experiment of server.experiments()) {
        for await (const each of server.loggedModels(experiment.experiment_id)) models.push(each);
      }
      expect(models).toMatchObject([{ info: { name: 'forest' }, data: { metrics: [{ key: 'auc', value: 0.75 }] } }]);
      const again = await cli('export', 'mlflow', empty.url, '--experiment', 'orchard');
      expect(JSON.parse(again.out)).toMatchObject({ runs: { copied: 0, unchanged: 5 }, problems: [] });
      let there = 0;
      for await (const experiment of server.experiments()) {
        for await (const _ of server.loggedModels(experiment.experiment_id)) there += 1;
      }
      expect(there).toBe(1);
    } finally {
      await empty.close();
    }
  }, 500_000);
});
