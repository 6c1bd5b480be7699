/** Copies logged models of 3.x: their files, parameters and tags before the runs that name them, their metrics behind these. */
import { messageOf } from '../../runtime/ports/errors.ts';
import type { MlflowExperiment, MlflowLoggedModel } from '../../schemas/api/mlflow.ts';
import { copyFiles, markTag } from './copy-run.ts';
import { digestOf, type MlflowServer } from './mlflow-server.ts';

interface Copying {
  readonly source: MlflowServer;
  readonly target: MlflowServer;
  /** Whether the target takes models under their own ids. */
  readonly keepIds: boolean;
  /** Of the copy of their experiment. */
  readonly experimentId: string;
  /** Ids of the copies, filled here. */
  readonly modelIds: Map<string, string>;
  readonly problems: string[];
}

/** Tag of a copy under another id: whose copy it is. */
const originTag = 'millrace.origin_model';

/** Answers what there is. One that was copied whole carries a mark and is not copied again. */
export async function copyLoggedModels(
  copying: Copying,
  experiment: MlflowExperiment,
): Promise<readonly MlflowLoggedModel[]> {
  const { source, target, keepIds, experimentId, modelIds, problems } = copying;
  const copies = new Map<string, { readonly id: string; readonly mark: string | undefined }>();
  for await (const { info } of target.loggedModels(experimentId)) {
    const tag = (key: string): string | undefined => info.tags?.find((each) => each.key === key)?.value;
    const origin = keepIds ? info.model_id : tag(originTag);
    if (origin !== undefined) copies.set(origin, { id: info.model_id, mark: tag(markTag) });
  }
  const models: MlflowLoggedModel[] = [];
  for await (const model of source.loggedModels(experiment.experiment_id)) {
    models.push(model);
    const { model_id: id } = model.info;
    const copy = copies.get(id);
    const digest = digestOf([model.info.status, model.info.tags, model.data?.params]);
    try {
      if (copy?.mark === digest) modelIds.set(id, copy.id);
      else modelIds.set(id, await copyModel(copying, model, copy?.id, digest));
    } catch (error) {
      problems.push(`logged model ${id}: ${messageOf(error)}`);
    }
  }
  return models;
}

async function copyModel(
  { source, target, keepIds, experimentId, problems }: Copying,
  { info, data = {} }: MlflowLoggedModel,
  known: string | undefined,
  digest: string,
): Promise<string> {
  const { name, model_type, source_run_id, status } = info;
  const tags = (info.tags ?? []).filter(({ key }) => key !== markTag);
  const body = { experiment_id: experimentId, name, model_type, params: data.params };
  const id = known ?? (await newModel(target, keepIds, info.model_id, { ...body, source_run_id, tags }));
  const { model } = (await target.get(`logged-models/${id}`)) as { model: MlflowLoggedModel };
  const copied = await copyFiles(
    source,
    await source.files({ modelId: info.model_id }),
    { root: info.artifact_uri, runId: undefined },
    target,
    { root: model.info.artifact_uri, runId: undefined },
  );
  problems.push(...copied.problems.map((problem) => `logged model ${info.model_id}: ${problem}`));
  const place = `/api/2.0/mlflow/logged-models/${id}`;
  await target.call('PATCH', place, { model_id: id, status });
  // The mark comes last: without it the model is copied again.
  const mark = copied.problems.length === 0 ? [{ key: markTag, value: digest }] : [];
  if (tags.length + mark.length > 0)
    await target.call('PATCH', `${place}/tags`, { model_id: id, tags: [...tags, ...mark] });
  return id;
}

async function newModel(
  target: MlflowServer,
  keepIds: boolean,
  id: string,
  body: { readonly tags: readonly object[]; readonly source_run_id: string | undefined },
): Promise<string> {
  if (keepIds) {
    await target.call('POST', '/api/v1/imports/logged-models', { ...body, model_id: id });
    return id;
  }
  const tags = [...body.tags, { key: originTag, value: id }];
  // The copy of its run has an id that is not known yet; the run will name the model.
  const { source_run_id: _, ...rest } = body;
  const made = (await target.post('logged-models', { ...rest, tags })) as { model: MlflowLoggedModel };
  return made.model.info.model_id;
}

/** Points of runs that name a model: said again with it, which the run has once. */
export async function copyModelMetrics(
  target: MlflowServer,
  models: readonly MlflowLoggedModel[],
  copies: {
    readonly ids: ReadonlyMap<string, string>;
    /** Runs that are deleted, to which nothing is logged. */
    readonly deleted: ReadonlySet<string>;
    readonly modelIds: ReadonlyMap<string, string>;
    readonly problems: string[];
  },
): Promise<void> {
  for (const { info, data } of models) {
    const model_id = copies.modelIds.get(info.model_id);
    for (const { run_id: from, ...metric } of data?.metrics ?? []) {
      const run_id = copies.ids.get(from ?? '');
      if (model_id === undefined || run_id === undefined || copies.deleted.has(from ?? '')) continue;
      try {
        await target.post('runs/log-metric', { ...metric, run_id, run_uuid: run_id, model_id });
      } catch (error) {
        copies.problems.push(`metric '${metric.key}' of logged model ${info.model_id}: ${messageOf(error)}`);
      }
    }
  }
}
