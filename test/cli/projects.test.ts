/** An MLproject in a git repository, as `mlflow run` takes it: fetched, run, and tracked with where it is from and what it left. */
import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import { eventually } from '../../runtime/testing/index.ts';
import { type Client, connect, type TrackedRun } from '../../sdk/client/index.ts';
import { type Platform, startPlatform } from '../../services/all-in-one/platform.ts';
import { millrace, type Said } from './cli-driver.ts';

const project = `
name: scored
entry_points:
  main:
    parameters:
      alpha: {type: float, default: 0.5}
    command: "bash score.sh {alpha}"
`;
/** Logs by the API while it runs; the model comes without metrics. */
const script = (rmse: number): string => `
set -e
curl -sSf -H "authorization: Bearer $MLFLOW_TRACKING_TOKEN" -H 'content-type: application/json' \\
  "$MLFLOW_TRACKING_URI/api/2.0/mlflow/runs/log-metric" \\
  -d '{"run_id":"'$MLFLOW_RUN_ID'","key":"loss","value":0.25,"timestamp":1,"step":0}'
cp iris.onnx "$MILLRACE_OUTPUT/"
echo '{"metrics": {"rmse": ${rmse}, "odd": NaN}, "params": {"depth": 6, "alpha": "late"}, "tags": {"family": "linear"},' \\
  '"models": [{"model": "scored", "path": "iris.onnx"}]}' > "$MILLRACE_OUTPUT/manifest.json"
`;

let directory: string;
let platform: Platform;
let client: Client;
let url: string;
let commits: readonly string[];
const cli = async (...words: readonly string[]): Promise<Said> => await millrace([...words, '--url', url]);
const git = (...words: readonly string[]): string =>
  execFileSync('git', ['-c', 'user.name=ada', '-c', 'user.email=ada@example.org', ...words], {
    cwd: join(directory, 'repository'),
    encoding: 'utf8',
  }).trim();

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-projects-'));
  const folder = join(directory, 'repository', 'scores');
  await mkdir(folder, { recursive: true });
  git('init', '--quiet', '--initial-branch', 'main');
  await writeFile(join(folder, 'MLproject'), project);
  await cp(join(import.meta.dirname, '..', 'models', 'iris-lightgbm.onnx'), join(folder, 'iris.onnx'));
  commits = await [0.5, 0.4].reduce<Promise<readonly string[]>>(async (before, rmse) => {
    const known = await before;
    await writeFile(join(folder, 'score.sh'), script(rmse));
    git('add', '--all');
    git('commit', '--quiet', '--message', `rmse ${rmse}`);
    return [...known, git('rev-parse', 'HEAD')];
  }, Promise.resolve([]));
  platform = await startPlatform({
    configuration: resolveConfiguration({
      flags: { directory: join(directory, 'millrace'), 'http.port': '0' },
      environment: {},
    }),
    only: ['flow-starts', 'run-progress', 'flow-tracking', 'registry', 'step-worker', 'provenance', 'gateway'],
  });
  await platform.ready();
  url = platform.url ?? '';
  client = connect({ url });
}, 60_000);
afterAll(async () => {
  await platform.close();
  await rm(directory, { recursive: true, force: true });
});

async function tracked(said: Said): Promise<TrackedRun> {
  const last = JSON.parse(said.out.trimEnd().split('\n').at(-1) ?? '{}') as { run?: { runId: string; status: string } };
  expect(last.run?.status, said.err).toBe('completed');
  return await eventually('the run has what its program left', async () => {
    const run = await client.tracking.run(last.run?.runId ?? '');
    return run.status === 'FINISHED' && 'rmse' in run.metrics ? run : undefined;
  });
}

describe('a project in a git repository', () => {
  it('is fetched, and its run has source, commit, and the values and models that its program left', async () => {
    const address = `file://${join(directory, 'repository')}#scores`;
    const first = await tracked(await cli('run', address, '-v', commits[0] ?? '', '-P', 'alpha=0.1', '--json'));
    expect(first).toMatchObject({
      metrics: { rmse: 0.5, loss: 0.25, odd: Number.NaN },
      params: { alpha: '0.1', depth: '6' },
      tags: {
        family: 'linear',
        'mlflow.source.type': 'PROJECT',
        'mlflow.source.name': address,
        'mlflow.project.entryPoint': 'main',
        'mlflow.source.git.commit': commits[0],
        'mlflow.source.git.repoURL': `file://${join(directory, 'repository')}`,
      },
    });
    expect((await client.models.show('scored')).versions).toMatchObject([
      { version: 1, runId: first.runId, metrics: { rmse: 0.5, loss: 0.25 } },
    ]);
    const newest = await tracked(await cli('run', address, '--json'));
    expect(newest.tags).toMatchObject({ 'mlflow.source.git.commit': commits[1], 'mlflow.source.git.branch': 'main' });
  });

  it('that lies here is named by its place in the repository, and says that it was changed', async () => {
    const folder = join(directory, 'repository', 'scores');
    await writeFile(join(folder, 'score.sh'), script(0.3));
    const { metrics, tags } = await tracked(await cli('run', folder, '--json'));
    expect(metrics).toMatchObject({ rmse: 0.3 });
    expect(tags).toMatchObject({
      'mlflow.source.name': 'scores',
      'mlflow.source.git.commit': commits[1],
      'millrace.source.dirty': 'true',
    });
  });

  it('that is not there, or has no such revision, is refused with what git says', async () => {
    const repository = `file://${join(directory, 'repository')}`;
    const refused = async (...words: readonly string[]): Promise<string> => (await cli('run', ...words)).err;
    expect(await refused(`file://${directory}/nowhere`)).toContain('cannot be fetched by git');
    expect(await refused(repository, '-v', 'no-such-branch')).toMatch(/cannot be fetched by git: .*no-such-branch/);
    expect(await refused(repository, '-v', '--force')).toContain('name a commit, branch or tag');
    expect(await refused(`${repository}#../..`)).toContain('leads out of the repository');
    expect(await refused(`${repository}#nowhere`)).toContain('there is no');
    expect(await refused(join(directory, 'repository', 'scores'), '-v', 'main')).toContain('of a git address');
  });
});
