/**
 * Copies experiments, runs, logged models and registered models from one server to another. Nothing is kept beside the servers: what was
 * copied whole carries a mark, so a copy that was interrupted goes on where it was, and a second one copies what has changed.
 */
import { messageOf } from '../../runtime/ports/errors.ts';
import { copyRun, markTag } from './copy-run.ts';
import { digestOf, type MlflowServer } from './mlflow-server.ts';
import type { MlflowExperiment, MlflowRun } from '../../schemas/api/mlflow.ts';
import { copyLoggedModels, copyModelMetrics } from './copy-logged-models.ts';
import { copyRegistry } from './copy-registry.ts';

interface MigrateOptions {
  readonly source: MlflowServer;
  readonly target: MlflowServer;
  /** Whether the target takes runs under their own ids: this platform does. */
  readonly keepIds: boolean;
  /** Only these, by name. @default all */
  readonly experiments?: readonly string[] | undefined;
  readonly onProgress?: (what: string) => void;
}

export interface MigrateReport {
  readonly experiments: number;
  readonly runs: { copied: number; unchanged: number; points: number; files: number; bytes: number };
  readonly loggedModels: number;
  readonly models: number;
  readonly versions: number;
  /** What could not be copied, or is not the same on both sides. */
  readonly problems: readonly string[];
}

/** Tag of a copy under another id: whose copy it is. */
const originTag = 'millrace.origin_run';

export async function migrate(options: MigrateOptions): Promise<MigrateReport> {
  const { source, target, keepIds, experiments: wanted, onProgress } = options;
  const problems: string[] = [];
  const runs = { copied: 0, unchanged: 0, points: 0, files: 0, bytes: 0 };
  const ids = new Map<string, string>();
  const modelIds = new Map<string, string>();
  const deleted = new Set<string>();
  let loggedModels = 0;
  const there = new Map<string, MlflowExperiment>();
  for await (const experiment of target.experiments()) there.set(experiment.name, experiment);
  const chosen: MlflowExperiment[] = [];
  for await (const experiment of source.experiments()) {
    if (wanted === undefined || wanted.includes(experiment.name)) chosen.push(experiment);
  }
  for (const name of wanted ?? []) {
    if (!chosen.some((experiment) => experiment.name === name)) problems.push(`there is no experiment '${name}'`);
  }
  for (const experiment of chosen) {
    const experimentId = await experimentIn(target, experiment, there.get(experiment.name));
    const known = await copiesIn(target, experimentId, keepIds);
    const models = await copyLoggedModels({ source, target, keepIds, experimentId, modelIds, problems }, experiment);
    loggedModels += models.length;
    for await (const run of source.runs(experiment.experiment_id)) {
      if (run.info.lifecycle_stage === 'deleted') deleted.add(run.info.run_id);
      onProgress?.(`${experiment.name}: ${runs.copied + runs.unchanged} runs`);
      await attempt(problems, `run ${run.info.run_id}`, async () => {
        const copy = known.get(run.info.run_id);
        const digest = digestOf([
          run.info.status,
          run.info.end_time,
          run.data,
          run.inputs,
          run.outputs,
          run.info.lifecycle_stage,
        ]);
        if (copy?.mark === digest) {
          ids.set(run.info.run_id, copy.runId);
          runs.unchanged += 1;
          return;
        }
        if (copy?.deleted === true) await target.post('runs/restore', { run_id: copy.runId });
        const runId = copy?.runId ?? (await beginRun(target, keepIds, experimentId, run));
        ids.set(run.info.run_id, runId);
        const renamed = withModels(run, modelIds);
        const { artifactUri } = await runOf(target, runId);
        const copied = await copyRun(source, renamed, { server: target, runId, artifactUri });
        problems.push(...copied.problems.map((problem) => `run ${run.info.run_id}: ${problem}`));
        await endRun(target, runId, run, copied.problems.length === 0 ? digest : undefined);
        runs.copied += 1;
        runs.points += copied.points;
        runs.files += copied.files;
        runs.bytes += copied.bytes;
      });
    }
    await copyModelMetrics(target, models, { ids, deleted, modelIds, problems });
    if (experiment.lifecycle_stage === 'deleted')
      await target.post('experiments/delete', { experiment_id: experimentId });
  }
  const registry = await copyRegistry({
    source,
    target,
    keepIds,
    ids,
    modelIds,
    problems,
    everything: wanted === undefined,
  });
  return { experiments: chosen.length, runs, loggedModels, ...registry, problems };
}

/** What fails is said at the end; the rest goes on. */
async function attempt(problems: string[], what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    problems.push(`${what}: ${messageOf(error)}`);
  }
}

async function experimentIn(
  target: MlflowServer,
  { name, tags = [] }: MlflowExperiment,
  known: MlflowExperiment | undefined,
): Promise<string> {
  if (known === undefined) {
    const made = (await target.post('experiments/create', { name, tags })) as { experiment_id: string };
    return made.experiment_id;
  }
  const experiment_id = known.experiment_id;
  if (known.lifecycle_stage === 'deleted') await target.post('experiments/restore', { experiment_id });
  for (const { key, value } of tags) {
    await target.post('experiments/set-experiment-tag', { experiment_id, key, value });
  }
  return experiment_id;
}

interface Copy {
  readonly runId: string;
  readonly mark: string | undefined;
  readonly deleted: boolean;
}

/** Copies that are there, by the id of what they are copies of. */
async function copiesIn(
  target: MlflowServer,
  experimentId: string,
  keepIds: boolean,
): Promise<ReadonlyMap<string, Copy>> {
  const copies = new Map<string, Copy>();
  for await (const { info, data } of target.runs(experimentId)) {
    const tag = (key: string): string | undefined => data?.tags?.find((each) => each.key === key)?.value;
    const origin = keepIds ? info.run_id : tag(originTag);
    if (origin === undefined) continue;
    copies.set(origin, { runId: info.run_id, mark: tag(markTag), deleted: info.lifecycle_stage === 'deleted' });
  }
  return copies;
}

async function beginRun(
  target: MlflowServer,
  keepIds: boolean,
  experiment_id: string,
  { info }: MlflowRun,
): Promise<string> {
  const { run_id, run_name = '', user_id, start_time } = info;
  if (keepIds) {
    const name = run_name === '' ? run_id : run_name;
    await target.call('POST', '/api/v1/imports/runs', { run_id, experiment_id, run_name: name, user_id, start_time });
    return run_id;
  }
  const tags = [{ key: originTag, value: run_id }];
  const made = await target.post('runs/create', { experiment_id, run_name, user_id, start_time, tags });
  return (made as { run: MlflowRun }).run.info.run_id;
}

async function runOf(target: MlflowServer, runId: string): Promise<{ readonly artifactUri: string }> {
  const { run } = (await target.get(`runs/get?run_id=${encodeURIComponent(runId)}`)) as { run: MlflowRun };
  return { artifactUri: run.info.artifact_uri };
}

/** The mark comes last: without it the run is copied again. */
async function endRun(
  target: MlflowServer,
  run_id: string,
  { info }: MlflowRun,
  digest: string | undefined,
): Promise<void> {
  const { status, end_time } = info;
  await target.post('runs/update', { run_id, status, ...(end_time === undefined ? {} : { end_time }) });
  if (digest !== undefined) await target.post('runs/set-tag', { run_id, key: markTag, value: digest });
  if (info.lifecycle_stage === 'deleted') await target.post('runs/delete', { run_id });
}

function withModels(run: MlflowRun, ids: ReadonlyMap<string, string>): MlflowRun {
  const { inputs = {}, outputs = {} } = run;
  const renamed = <T extends { readonly model_id: string }>(models: readonly T[] = []): readonly T[] =>
    models.map((model) => ({ ...model, model_id: ids.get(model.model_id) ?? model.model_id }));
  return {
    ...run,
    inputs: { ...inputs, model_inputs: renamed(inputs.model_inputs) },
    outputs: { model_outputs: renamed(outputs.model_outputs) },
  };
}
