/** Copies what was logged to a run, in batches; every call may be made again and changes nothing then. */
import { hash } from 'node:crypto';
import type { MlflowServer } from './mlflow-server.ts';
import type { MlflowPair, MlflowPoint, MlflowRun } from '../../schemas/api/mlflow.ts';

const batch = { metrics: 1_000, pairs: 100 };

interface CopiedRun {
  readonly points: number;
  readonly files: number;
  readonly bytes: number;
  /** What is not the same on both sides; empty: verified. */
  readonly problems: readonly string[];
}

interface Target {
  readonly server: MlflowServer;
  readonly runId: string;
  readonly artifactUri: string;
}

/** Params, tags, every point of every metric, data sets, models, files; then compares both sides. */
export async function copyRun(source: MlflowServer, run: MlflowRun, target: Target): Promise<CopiedRun> {
  const { server, runId: run_id } = target;
  const { params = [], tags = [], metrics = [] } = run.data ?? {};
  await pairsIn(server, run_id, 'params', params);
  await pairsIn(
    server,
    run_id,
    'tags',
    tags.filter(({ key }) => key !== markTag),
  );
  let points = 0;
  for (const { key } of metrics) points += await historyIn(source, run.info.run_id, key, server, run_id);
  const { dataset_inputs: datasets = [], model_inputs = [] } = run.inputs ?? {};
  if (datasets.length + model_inputs.length > 0) {
    await server.post('runs/log-inputs', {
      run_id,
      datasets,
      models: model_inputs.map(({ model_id }) => ({ model_id })),
    });
  }
  const outputs = run.outputs?.model_outputs ?? [];
  if (outputs.length > 0) await server.post('runs/outputs', { run_id, models: outputs });
  const from = { root: run.info.artifact_uri, runId: run.info.run_id };
  const copied = await copyFiles(source, await source.files({ runId: run.info.run_id }), from, server, {
    root: target.artifactUri,
    runId: run_id,
  });
  const problems = [...copied.problems, ...(await differences(run, points, target))];
  return { points, files: copied.files, bytes: copied.bytes, problems };
}

interface FilesOf {
  /** Artifact URI of a run or logged model. */
  readonly root: string;
  /** undefined: of a logged model. */
  readonly runId: string | undefined;
}

/** Reads each file back, and compares it by its hash. */
export async function copyFiles(
  source: MlflowServer,
  files: readonly { readonly path: string }[],
  from: FilesOf,
  server: MlflowServer,
  to: FilesOf,
): Promise<{ readonly files: number; readonly bytes: number; readonly problems: readonly string[] }> {
  const problems: string[] = [];
  let bytes = 0;
  for (const { path } of files) {
    const content = await source.download(from.root, path, from.runId);
    await server.upload(to.root, path, content);
    const [was, is] = [content, await server.download(to.root, path, to.runId)].map((each) =>
      hash('sha256', each, 'hex'),
    );
    if (was !== is) problems.push(`file '${path}' has the hash ${is?.slice(0, 12)}, it had ${was?.slice(0, 12)}`);
    bytes += content.length;
  }
  return { files: files.length, bytes, problems };
}

/** Tag of a run that was copied whole: the digest of what it was. */
export const markTag = 'millrace.copied';

async function historyIn(
  source: MlflowServer,
  from: string,
  key: string,
  server: MlflowServer,
  run_id: string,
): Promise<number> {
  let points = 0;
  let metrics: MlflowPoint[] = [];
  const send = async (): Promise<void> => {
    if (metrics.length > 0) await server.post('runs/log-batch', { run_id, metrics });
    points += metrics.length;
    metrics = [];
  };
  for await (const { value, timestamp, step = 0 } of source.history(from, key)) {
    metrics.push({ key, value, timestamp, step });
    if (metrics.length >= batch.metrics) await send();
  }
  await send();
  return points;
}

async function pairsIn(
  server: MlflowServer,
  run_id: string,
  kind: 'params' | 'tags',
  pairs: readonly MlflowPair[],
): Promise<void> {
  for (let from = 0; from < pairs.length; from += batch.pairs) {
    await server.post('runs/log-batch', { run_id, [kind]: pairs.slice(from, from + batch.pairs) });
  }
}

/** Reads the copy back. */
async function differences(run: MlflowRun, points: number, { server, runId }: Target): Promise<readonly string[]> {
  const problems: string[] = [];
  const { run: copy } = (await server.get(`runs/get?run_id=${encodeURIComponent(runId)}`)) as { run: MlflowRun };
  for (const kind of ['params', 'tags'] as const) {
    const there = new Map((copy.data?.[kind] ?? []).map(({ key, value }) => [key, value]));
    for (const { key, value } of run.data?.[kind] ?? []) {
      if (key !== markTag && there.get(key) !== value) problems.push(`${kind.slice(0, -1)} '${key}' is not the same`);
    }
  }
  const latest = new Map((copy.data?.metrics ?? []).map(({ key, value }) => [key, value]));
  for (const { key, value } of run.data?.metrics ?? []) {
    if (latest.get(key) !== value) problems.push(`metric '${key}' is ${latest.get(key)}, it was ${value}`);
  }
  let copied = 0;
  for (const key of latest.keys()) for await (const _ of server.history(runId, key)) copied += 1;
  if (copied !== points) problems.push(`${copied} points of metrics of ${points}`);
  return problems;
}
