/** Experiments, tracked runs and models on the command line: runs of flows and runs of other programs are one thing. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import { eventually } from '../../runtime/testing/index.ts';
import { experimentOfFlow } from '../../schemas/flow-experiment.ts';
import { type Client, connect } from '../../sdk/client/index.ts';
import { startRun } from '../../sdk/tracking/index.ts';
import { type Platform, startPlatform } from '../../services/all-in-one/platform.ts';
import { millrace, type Said } from './cli-driver.ts';

const token = 'the platform knows it';
let directory: string;
let platform: Platform;
let client: Client;
let url: string;
const runIds: string[] = [];
const file = join(import.meta.dirname, 'flows', 'tracked.ts');
const cli = (...words: readonly string[]): Promise<Said> =>
  millrace([...words, '--url', url, '--set', `http.token=${token}`]);
const json = async <T>(...words: readonly string[]): Promise<T> => {
  const { out, err } = await cli(...words, '--json');
  expect(out, err).not.toBe('');
  return JSON.parse(out) as T;
};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-tracked-'));
  platform = await startPlatform({
    configuration: resolveConfiguration({
      flags: { directory: join(directory, 'millrace'), 'http.port': '0', 'http.token': token },
      environment: {},
    }),
    only: [
      'flow-starts',
      'run-progress',
      'flow-tracking',
      'registry',
      'deployments',
      'experiment-names',
      'step-worker',
      'provenance',
      'gateway',
    ],
  });
  await platform.ready();
  url = platform.url ?? '';
  client = connect({ url, token });
  for (const rate of [0.1, 0.5]) {
    const { out, err } = await cli('run', file, '--rate', String(rate), '--tag', 'env:test', '--json');
    const last = JSON.parse(out.trimEnd().split('\n').at(-1) ?? '{}') as { run?: { runId: string; status: string } };
    expect(last.run?.status, err).toBe('completed');
    runIds.push(last.run?.runId ?? '');
  }
  await eventually('both runs are finished as tracked runs, too', async () => {
    const { runs } = await client.tracking.search({ experiments: ['flows/tracked'] });
    return runs.filter(({ status }) => status === 'FINISHED').length === 2 ? true : undefined;
  });
}, 120_000);
afterAll(async () => {
  await platform.close();
  await rm(directory, { recursive: true, force: true });
});

describe('a run of a flow', () => {
  it('is a tracked run of its experiment, with parameters, tags, and what its steps logged', async () => {
    const run = await client.tracking.run(runIds[0] ?? '');
    expect(run).toMatchObject({
      status: 'FINISHED',
      experimentId: experimentOfFlow('tracked').id,
      params: { rate: '0.1', depth: '6' },
      tags: { team: 'red', env: 'test', 'millrace.flow': 'tracked' },
      metrics: { loss: 0.1 / 20, 'not a number': Number.NaN },
      datasets: [{ name: 'wine', digest: 'd1' }],
    });
    const points = [];
    for await (const { value } of client.tracking.history(run.runId, 'loss')) points.push(value);
    expect(points).toEqual(Array.from({ length: 20 }, (_, step) => 0.1 / (step + 1)));
    expect((await client.tracking.artifacts(run.runId)).map(({ path }) => path)).toEqual([
      'figures',
      'histograms',
      'notes',
    ]);
    const listed = await json<{ path?: string; name?: string }[]>('artifacts', 'list', run.runId);
    expect(listed.map(({ name, path }) => name ?? path)).toEqual([
      'told',
      'trained',
      'figures/kinds.json',
      'figures/kinds.svg',
      'notes/why.txt',
      'histograms/weights/0.json',
      'histograms/weights/0.svg',
    ]);
    expect((await cli('artifacts', 'get', `${run.runId}/notes/why.txt`)).out).toBe('because');
    expect((await cli('artifacts', 'list', 'f'.repeat(32))).err).toContain('NOT_FOUND');
    expect(Buffer.from(await client.tracking.artifact(run.runId, 'notes/why.txt')).toString()).toBe('because');
    const kinds = Buffer.from(await client.tracking.artifact(run.runId, 'figures/kinds.json')).toString();
    expect(JSON.parse(kinds)).toEqual({
      labels: ['a', 'b'],
      counts: [
        [1, 0],
        [1, 1],
      ],
    });
  });

  it('tells programs in its steps where to log, and to which run', async () => {
    const [told] = await client.artifacts.list({ runId: runIds[0] ?? '', name: 'told' });
    expect(await told?.value()).toEqual({ url, run: runIds[0], experiment: experimentOfFlow('tracked').id });
  });

  it('keeps the token of its steps out of what they print', async () => {
    const { out } = await cli('logs', runIds[0] ?? '');
    expect(out).toContain("MILLRACE_TOKEN: '***'");
    expect(out).toContain("MLFLOW_TRACKING_TOKEN: '***'");
    expect(out).not.toMatch(/run-[0-9a-f]{32}\./);
  });

  it('is not ended by a client, which its steps are', async () => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const body = JSON.stringify({ run_id: runIds[0], status: 'FAILED', end_time: 1 });
    const answer = await fetch(`${url}/api/2.0/mlflow/runs/update`, { method: 'POST', headers, body });
    expect(answer.status).toBe(200);
    expect(await client.tracking.run(runIds[0] ?? '')).toMatchObject({ status: 'FINISHED' });
  });

  it('has a token for its steps that reads, and cancels no run', async () => {
    const { runToken } = await import('../../services/gateway/security/run-token.ts');
    const call = (key: string, path: string, method = 'GET', endsAtMs = Date.now() + 60_000): Promise<Response> => {
      const authorization = `Bearer ${runToken(runIds[0] ?? '', endsAtMs, key)}`;
      return fetch(url + path, { method, headers: { authorization } });
    };
    expect((await call(token, `/api/2.0/mlflow/runs/get?run_id=${runIds[0]}`)).status).toBe(200);
    expect((await call(token, `/api/v1/runs/${runIds[0]}/cancel`, 'POST')).status).toBe(401);
    expect((await call('guessed', `/api/2.0/mlflow/runs/get?run_id=${runIds[0]}`)).status).toBe(401);
    const late = await call(token, `/api/2.0/mlflow/runs/get?run_id=${runIds[0]}`, 'GET', Date.now() - 1);
    expect(late.status).toBe(401);
    expect(await late.json()).toMatchObject({
      message: expect.stringContaining(`the step of run ${runIds[0]} is over`) as string,
    });
  });
});

describe('millrace runs', () => {
  it('shows steps and what was logged', async () => {
    const { out } = await cli('runs', 'show', runIds[1] ?? '');
    expect(out).toMatch(/train.*completed/s);
    expect(out).toMatch(/metrics\n +loss 0\.025/);
    expect(out).toMatch(/files\n(?: +.*\n)* +histograms\//);
  });

  it('searches by the language of filters', async () => {
    const found = await json<{ runId: string }[]>('runs', 'search', "metrics.loss < 0.01 AND params.rate = '0.1'");
    expect(found.map(({ runId }) => runId)).toEqual([runIds[0]]);
    const { code, err } = await cli('runs', 'search', 'metrics.loss <');
    expect([code, err]).toEqual([2, expect.stringContaining('expected a number')]);
  });

  it('shows a metric as a curve', async () => {
    expect((await cli('runs', 'metric', runIds[0] ?? '', 'loss')).out).toMatch(/^loss: 20 points, 0\.005 … 0\.1/);
  });
});

describe('millrace compare', () => {
  it('shows what differs, and curves, as text, picture and page', async () => {
    const [svg, html] = [join(directory, 'c.svg'), join(directory, 'c.html')];
    const { out } = await cli('compare', ...runIds, '--svg', svg, '--html', html);
    expect(out).toMatch(/metric +loss +0\.005 +0\.025/);
    expect(out).toMatch(/parameter +rate +0\.1 +0\.5/);
    expect(out).not.toMatch(/parameter +depth/);
    expect(out).toMatch(/loss 0\.005 … 0\.5\n.*[▁▂▃▄▅▆▇█]{20}/);
    expect(await readFile(svg, 'utf8')).toMatch(/<polyline[^]*<polyline/);
    expect(await readFile(html, 'utf8')).toContain('<td>parameter</td><td>rate</td><td>0.1</td><td>0.5</td>');
    expect((await cli('compare', runIds[0] ?? '')).code).toBe(2);
    expect((await cli('compare', ...runIds, '--metric', 'none')).code).toBe(3);
  });
});

describe('millrace experiments', () => {
  it('are created, tagged, renamed, shown, deleted and restored', async () => {
    const { experimentId } = await json<{ experimentId: string }>('experiments', 'create', 'wine', '--tag', 'team=a');
    expect((await cli('experiments', 'create', 'wine')).code).toBe(5);
    await cli('experiments', 'tag', 'wine', 'kind=red');
    await cli('experiments', 'rename', 'wine', 'wines');
    expect(await json('experiments', 'show', 'wines')).toMatchObject({
      experimentId,
      tags: { team: 'a', kind: 'red' },
      runs: [],
    });
    await cli('experiments', 'delete', 'wines');
    expect((await cli('experiments', 'list', '--deleted')).out).toContain('wines');
    await cli('experiments', 'restore', experimentId);
    expect((await cli('experiments', 'list')).out).toMatch(/wines[^]*flows\/tracked|flows\/tracked[^]*wines/);
    expect((await cli('experiments', 'show', 'nobody')).code).toBe(3);
  });
});

describe('millrace models', () => {
  it('are registered from files of a run, described, tagged, staged, found and deleted', async () => {
    const [run] = runIds;
    expect((await cli('models', 'register', 'notes', `runs:/${run}/notes`, '--tag', 'a=1')).out).toBe(
      'models:/notes/1\n',
    );
    await cli('models', 'describe', 'notes/1', '# Notes');
    await cli('models', 'tag', 'notes/1', 'b=2', '--remove', 'a');
    await cli('models', 'stage', 'notes', '1', 'Production');
    await cli('models', 'alias', 'notes', 'champion', '1');
    expect(await json('models', 'search', "tags.b = '2'")).toMatchObject([
      { model: 'notes', version: 1, description: '# Notes', stage: 'Production', aliases: ['champion'], runId: run },
    ]);
    expect((await cli('runs', 'show', run ?? '')).out).toContain('notes/1 @champion');
    await cli('models', 'alias', 'notes', 'champion', '--remove');
    expect((await cli('models', 'alias', 'notes', 'champion')).code).toBe(2);
    await cli('models', 'delete', 'notes/1');
    expect(await json('models', 'search', "name = 'notes'")).toEqual([]);
  });
});

describe('an alias with a rule', () => {
  it('moves by the metrics of the runs and a second person, whom the history names', async () => {
    const [bad, good] = [runIds[1] ?? '', runIds[0] ?? ''];
    await cli('models', 'register', 'ruled', `runs:/${good}/notes`);
    await cli('models', 'register', 'ruled', `runs:/${bad}/notes`);
    await cli('models', 'register', 'ruled', `runs:/${good}/notes`);
    await cli('models', 'alias', 'ruled', 'champion', '1');
    const before = Date.now() + 1;
    const rule = { approval: true, metrics: [{ metric: 'loss', better: 'lower' }] };
    await cli('models', 'protect', 'ruled', 'champion', JSON.stringify(rule));
    const worse = await cli('models', 'alias', 'ruled', 'champion', '2');
    expect([worse.code, worse.err]).toEqual([4, expect.stringContaining('loss is 0.025; not worse than the 0.005')]);
    const asked = await cli('models', 'alias', 'ruled', 'champion', '3', '--actor', 'ada');
    expect([asked.code, asked.err]).toEqual([4, expect.stringContaining('needs a second person')]);
    expect((await cli('models', 'rules', 'ruled')).out).toMatch(/champion.*version 3 by ada/);
    expect((await cli('models', 'approve', 'ruled', 'champion', '3', '--actor', 'ada')).code).toBe(4);
    expect((await cli('models', 'approve', 'ruled', 'champion', '3', '--actor', 'bob')).code).toBe(0);
    const moves = await json<{ label: string; version: number; removed: boolean; actor: string }[]>(
      'models',
      'history',
      'ruled',
    );
    expect(moves.map(({ version, removed, actor }) => [version, removed, actor === 'bob'])).toEqual([
      [3, false, true],
      [1, true, true],
      [1, false, false],
    ]);
    expect(await json('models', 'at', 'ruled', String(before))).toMatchObject({
      aliases: [{ label: 'champion', version: 1 }],
    });
    expect(await json('models', 'at', 'ruled', String(Date.now()))).toMatchObject({ aliases: [{ version: 3 }] });
    expect((await cli('models', 'protect', 'ruled', 'champion', '{"aproval":true}')).code).toBe(2);
  });
});

describe('millrace models card', () => {
  it('says what a version is, how it was made, and how it compares, as Markdown, page and JSON', async () => {
    const [worse, better] = [runIds[1] ?? '', runIds[0] ?? ''];
    const inputs = JSON.stringify([
      { name: 'alcohol', type: 'double', required: true },
      { name: 'pixels', type: 'tensor', 'tensor-spec': { dtype: 'float32', shape: [-1, 4] } },
    ]);
    const outputs = JSON.stringify([{ type: 'long', required: false }]);
    const mlmodel = `flavors: {}\nsignature:\n  inputs: '${inputs}'\n  outputs: '${outputs}'\n`;
    const { artifactUri } = await client.tracking.run(better);
    const place = artifactUri.replace('mlflow-artifacts:/', '');
    const headers = { authorization: `Bearer ${token}` };
    const target = `${url}/api/2.0/mlflow-artifacts/artifacts/${place}/model/MLmodel`;
    expect((await fetch(target, { method: 'PUT', headers, body: mlmodel })).status).toBe(200);
    await cli('models', 'register', 'carded', `runs:/${worse}/notes`);
    await cli('models', 'register', 'carded', `runs:/${better}/model`, '--tag', 'note=a|b <script>');
    await cli('models', 'describe', 'carded', 'Says **how good** a wine is.');
    await cli('models', 'alias', 'carded', 'champion', '2');
    expect(await json('models', 'card', 'carded@champion')).toMatchObject({
      model: 'carded',
      version: 2,
      metrics: { loss: 0.005 },
      others: [{ version: 1, metrics: { loss: 0.025 } }],
      run: { runId: better, datasets: [{ name: 'wine', digest: 'd1' }] },
      signature: {
        inputs: [
          { name: 'alcohol', type: 'double', required: true },
          { name: 'pixels', type: 'tensor(float32, [-1,4])', required: true },
        ],
        outputs: [{ name: '', type: 'long', required: false }],
      },
    });
    const { out } = await cli('models', 'card', 'models:/carded/2');
    expect(out).toContain('Says **how good** a wine is.');
    expect(out).toMatch(/\| loss \| 0\.005 \| 0\.025 \|/);
    expect(out).toContain('tag note**: a\\|b \\<script\\>');
    expect(out).toMatch(/\| wine \| d1 \|[\s\S]*## Lineage[\s\S]*## Aliases and stages/);
    const file = join(directory, 'card.html');
    await cli('models', 'card', 'carded@champion', '--html', file);
    const page = await readFile(file, 'utf8');
    expect(page).toContain('<dt>tag note</dt><dd>a|b &lt;script&gt;</dd>');
    expect(page).not.toContain('<script');
    for (const [wrong, code] of [
      ['carded', 2],
      ['carded/9', 3],
      ['nobody/1', 3],
    ] as const) {
      expect((await cli('models', 'card', wrong)).code, wrong).toBe(code);
    }
  });
});

describe('millrace import mlflow', () => {
  it('tells the other server the token that is meant for it, and no other', async () => {
    const heard: (string | undefined)[] = [];
    const other = createServer(({ headers }, response) => {
      heard.push(headers.authorization);
      response.writeHead(404, { 'content-type': 'application/json' }).end('{}');
    });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const theirs = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    const told = async (uri: string, theirToken: string, ...more: readonly string[]): Promise<string | undefined> => {
      vi.stubEnv('MLFLOW_TRACKING_URI', uri);
      vi.stubEnv('MLFLOW_TRACKING_TOKEN', theirToken);
      heard.length = 0;
      await cli('import', 'mlflow', theirs, ...more);
      expect(heard).not.toEqual([]);
      return heard[0];
    };
    try {
      expect(await told(url, token)).toBeUndefined();
      expect(await told(url, 'of another')).toBeUndefined();
      expect(await told(theirs, token)).toBeUndefined();
      expect(await told(theirs, 'theirs')).toBe('Bearer theirs');
      expect(await told(url, token, '--token', 'said')).toBe('Bearer said');
    } finally {
      vi.unstubAllEnvs();
      await new Promise((resolve) => other.close(resolve));
    }
  });
});

describe('a program that logs', () => {
  it('goes on while the server is away; what it logged is sent later, in order and once', async () => {
    const spool = join(directory, 'spool');
    const warned: string[] = [];
    const warn = (message: string): void => void warned.push(message);
    const away = startRun({ url: 'http://127.0.0.1:9', experiment: 'offline', name: 'kept', spool, warn });
    for (let step = 0; step < 2_500; step++) away.metric('loss', 1 / (step + 1), step);
    away.params({ depth: 3 });
    away.artifact('model.txt', 'weights');
    expect(await away.end('FINISHED', 300)).toBe(false);
    expect(warned).toHaveLength(2);
    expect(await readdir(spool)).toHaveLength(1);
    expect((await cli('runs', 'sync', spool)).out).toMatch(/: \d+ entries sent\n/);
    expect(await readdir(spool)).toEqual([]);
    const run = await client.tracking.run(away.runId);
    expect(run).toMatchObject({
      name: 'kept',
      status: 'FINISHED',
      params: { depth: '3' },
      metrics: { loss: 1 / 2_500 },
    });
    expect(run.tags['mlflow.source.git.commit']).toMatch(/^[0-9a-f]{40}$/);
    const steps = [];
    for await (const { step } of client.tracking.history(run.runId, 'loss')) steps.push(step);
    expect(steps.sort((a, b) => a - b)).toEqual(Array.from({ length: 2_500 }, (_, step) => step));
    expect((await cli('runs', 'sync', spool)).out).toContain('nothing waits');
  });

  it('is the same run when it goes on with its key, and is told what the server refuses', async () => {
    const spool = join(directory, 'spool-again');
    const warned: string[] = [];
    const options = {
      url,
      token,
      spool,
      key: 'night-7',
      source: false,
      warn: (message: string) => void warned.push(message),
    };
    const first = startRun(options);
    first.param('depth', 1);
    expect(await first.close()).toBe(true);
    const second = startRun(options);
    second.param('depth', 2);
    second.metric('loss', 1);
    await second.end();
    expect(second.runId).toBe(first.runId);
    expect(warned.join('\n')).toContain('Changing param values is not allowed');
    expect(await client.tracking.run(first.runId)).toMatchObject({ params: { depth: '1' }, status: 'FINISHED' });
  });
});
