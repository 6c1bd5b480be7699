import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDirectoryBlobStore } from '../../../runtime/adapters/blobs/directory-blob-store.ts';
import {
  bundleProject,
  type ProjectBundle,
  type ProjectRun,
} from '../../../runtime/adapters/bundler/bundle-project.ts';
import { readMlProject } from '../../../runtime/adapters/bundler/mlproject.ts';
import { createProcessExecutor } from '../../../runtime/adapters/process-executor/process-executor.ts';
import type { BlobStore, TaskExecutor, TaskOutcome } from '../../../runtime/ports/index.ts';
import { decodeArtifact } from '../../../schemas/codec/artifact-value.ts';
import type { FlowGraph } from '../../../schemas/flow-graph.ts';
import { resolveParameters } from '../../../schemas/flow-parameters.ts';

const untimed = (text: string): string => text.replaceAll(/^\S+Z /gm, '');

const folder = join(import.meta.dirname, 'mlproject');
let directory: string;
let blobs: BlobStore;
let executor: TaskExecutor;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-project-'));
  blobs = await openDirectoryBlobStore({ directory: join(directory, 'blobs') });
  executor = await createProcessExecutor({ blobs, cacheDirectory: join(directory, 'steps'), slots: 1 });
});

afterAll(async () => {
  await executor?.close();
  await blobs?.close();
  await rm(directory, { recursive: true, force: true });
});

async function run(project: ProjectRun): Promise<TaskOutcome> {
  return await runBundle(await bundleProject(folder, project));
}

async function runBundle(bundle: ProjectBundle, other: Readonly<Record<string, string>> = {}): Promise<TaskOutcome> {
  const { code, graph, name } = bundle;
  const parameters = { ...bundle.parameters, ...other };
  const { steps, parameters: specs } = graph as FlowGraph;
  const { hash } = await blobs.put(code);
  const resolved = resolveParameters(specs, parameters);
  if (resolved.problems !== undefined) throw new Error(resolved.problems.join('; '));
  const [step] = steps;
  const work = { runId: 'r', taskId: 't', attempt: 1, idempotencyKey: 'k', timeoutMs: 20_000 };
  return await executor.start({
    ...work,
    ...{ flow: name, step: step?.name ?? '', bundleHash: hash, inputs: [{ branch: '', artifacts: [] }] },
    parameters: JSON.stringify(resolved.values),
  }).outcome;
}

async function said(outcome: TaskOutcome): Promise<readonly string[]> {
  const text = outcome.logs === undefined ? '' : untimed((await blobs.get(outcome.logs.hash)).toString('utf8'));
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.slice(4));
}

describe('an MLproject folder as a flow', () => {
  it('gives parameters to its command as MLflow does: defaults as Python prints them, values as they were given', async () => {
    const outcome = await run({ parameters: { 'l1-ratio': '0.50', where: 'file:///x y', 'more-depth': "it's" } });
    if (outcome.type !== 'completed') throw new Error(outcome.message);
    const words = await said(outcome);
    expect(words[7]).toMatch(/^<\/.*\/data\/in\.csv>$/);
    expect(words.filter((_, index) => index !== 7)).toEqual([
      ...['<0.1>', '<0.50>', '<True>', '<1e-3>', '<1e-05>', '<5>', '<0.10>', '<file:///x y>'],
      ...['<--more-depth>', "<it's>", 'line: 1,2'],
    ]);
    const kept = await Promise.all(
      outcome.artifacts.map(async ({ name, codec, hash, inline = null }) => [
        name,
        decodeArtifact(codec, inline ?? (await blobs.get(hash))),
      ]),
    );
    expect(Object.fromEntries(kept)).toEqual({ metrics: { rmse: 0.5 }, params: { alpha: '0.1' } });
  });

  it('takes a path of the caller, and fetches one from a server', async () => {
    const mine = join(directory, 'mine.csv');
    await writeFile(mine, 'mine');
    const here = await said(await run({ parameters: { 'l1-ratio': '1', data: 'mine.csv' }, from: directory }));
    expect(here.slice(-1)).toEqual(['line: mine']);
    const server = createServer((_, response) => response.end('fetched'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const data = `http://127.0.0.1:${(server.address() as AddressInfo).port}/some/data.csv`;
    const there = await said(await run({ parameters: { 'l1-ratio': '1', data } }));
    server.close();
    expect(there.slice(-1)).toEqual(['line: fetched']);
    expect(there[7]).toMatch(/\/param_7\/data\.csv>$/);
  });

  it('says what is missing or wrong, before or instead of the command', async () => {
    await expect(bundleProject(folder, {})).rejects.toThrow(
      "No value given for missing parameters: 'l1-ratio' of entry point 'main': add -P l1-ratio=...",
    );
    await expect(bundleProject(folder, { entry: 'mian' })).rejects.toThrow('the project has main, fails');
    const good = await bundleProject(folder, { parameters: { 'l1-ratio': '1' } });
    const gone = await runBundle(good, { data: 'gone.csv' });
    expect(gone).toMatchObject({
      kind: 'user',
      message: 'Got value gone.csv for parameter data, but no such file or directory was found.',
    });
    expect(await runBundle(good, { l1_ratio: 'low' })).toMatchObject({
      message: "parameter 'l1-ratio' is a float, got 'low'",
    });
    expect(await runBundle(good, { data: 's3://a/b' })).toMatchObject({
      message: expect.stringContaining("'s3://a/b' cannot be fetched") as string,
    });
    expect(await run({ entry: 'fails' })).toMatchObject({
      kind: 'user',
      message: expect.stringContaining('ended with exit code 7') as string,
    });
  });

  it('runs a script that no entry point names', async () => {
    const { graph } = await bundleProject(folder, { entry: 'show.sh', parameters: { a: '1' } });
    expect((graph as FlowGraph).steps).toMatchObject([{ name: 'show-sh', runs: { kind: 'command' } }]);
  });

  it.each<[string, string, string]>([
    [
      'docker_env',
      'docker_env:\n  image: x\n',
      'asks for docker_env, which is not run here: say python_env or conda_env instead',
    ],
    [
      'two environments',
      'python_env: a.yaml\nconda_env: b.yaml\n',
      'has python_env and conda_env: a project may have one of them',
    ],
    [
      'an environment that is not there',
      'python_env: a.yaml\n',
      "python_env names 'a.yaml', but there is no such file",
    ],
    ['no command', 'entry_points:\n  main:\n    parameters: {}\n', "entry point 'main' must have a command"],
    ['no YAML', 'a: [', 'is no YAML'],
  ])('with %s is refused', async (name, text, message) => {
    const other = await mkdtemp(join(directory, name.replaceAll(' ', '-')));
    await writeFile(join(other, 'mlproject'), text);
    expect(() => readMlProject(other)).toThrow(message);
  });
});
