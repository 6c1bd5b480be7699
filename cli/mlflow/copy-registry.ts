/** Copies registered models: versions under their numbers, where the target takes them; descriptions, tags, stages, aliases. */
import { hasCode, messageOf } from '../../runtime/ports/errors.ts';
import { digestOf, type MlflowServer } from './mlflow-server.ts';
import type { MlflowModel, MlflowVersion } from '../../schemas/api/mlflow.ts';

interface CopyRegistryOptions {
  readonly source: MlflowServer;
  readonly target: MlflowServer;
  readonly keepIds: boolean;
  /** Ids of the copies of runs and logged models. */
  readonly ids: ReadonlyMap<string, string>;
  readonly modelIds: ReadonlyMap<string, string>;
  readonly problems: string[];
  /** Also versions of runs that were not copied. */
  readonly everything: boolean;
}

export async function copyRegistry(
  options: CopyRegistryOptions,
): Promise<{ readonly models: number; readonly versions: number }> {
  const { source, problems, ids, everything } = options;
  let models = 0;
  let copied = 0;
  for await (const model of source.models()) {
    const versions: MlflowVersion[] = [];
    for await (const version of source.versions(model.name)) {
      if (everything || ids.has(version.run_id ?? '')) versions.push(version);
    }
    if (versions.length === 0 && !everything) continue;
    versions.sort((a, b) => Number(a.version) - Number(b.version));
    models += 1;
    try {
      copied += await copyModel(options, model, versions);
    } catch (error) {
      problems.push(`model '${model.name}': ${messageOf(error)}`);
    }
  }
  return { models, versions: copied };
}

async function copyModel(
  options: CopyRegistryOptions,
  model: MlflowModel,
  versions: readonly MlflowVersion[],
): Promise<number> {
  const { target, problems } = options;
  const { name, description = '', tags = [], aliases = [] } = model;
  try {
    await target.post('registered-models/create', { name, description, tags });
  } catch (error) {
    if (!hasCode(error, 'CONFLICT')) throw error;
    await target.call('PATCH', '/api/2.0/mlflow/registered-models/update', { name, description });
    for (const { key, value } of tags) await target.post('registered-models/set-tag', { name, key, value });
  }
  const there = new Map<string, string>();
  for await (const version of target.versions(name)) {
    const origin = version.tags?.find(({ key }) => key === originTag)?.value;
    there.set(options.keepIds ? version.version : (origin ?? ''), version.version);
  }
  const numbers = new Map<string, string>();
  for (const version of versions) {
    try {
      numbers.set(version.version, there.get(version.version) ?? (await newVersion(options, version)));
      await changeVersion(target, version, numbers.get(version.version) ?? version.version);
    } catch (error) {
      problems.push(`model version ${name}/${version.version}: ${messageOf(error)}`);
    }
  }
  for (const { alias, version } of aliases) {
    const number = numbers.get(version);
    if (number === undefined) problems.push(`alias ${name}@${alias}: version ${version} is not there`);
    else await target.post('registered-models/alias', { name, alias, version: number });
  }
  return numbers.size;
}

/** Tag of a version that has another number than what it is a copy of. */
const originTag = 'millrace.origin_version';

async function newVersion(options: CopyRegistryOptions, version: MlflowVersion): Promise<string> {
  const { target, keepIds, ids } = options;
  const { name, description = '', tags = [] } = version;
  const run_id = ids.get(version.run_id ?? '') ?? version.run_id;
  const body = { name, source: await sourceOf(options, version), run_id, description };
  const key = `copy-${digestOf([options.source.url, name, version.version])}`;
  const answer = keepIds
    ? await target.call('POST', '/api/v1/imports/model-versions', { ...body, tags, version: version.version }, key)
    : await target.post(
        'model-versions/create',
        { ...body, tags: [...tags, { key: originTag, value: version.version }] },
        key,
      );
  return (answer as { model_version: MlflowVersion }).model_version.version;
}

/** The same files where the copy of their run or logged model has them; an address on another store stays. */
async function sourceOf(
  { source, target, ids, modelIds }: CopyRegistryOptions,
  version: MlflowVersion,
): Promise<string> {
  const { source: said = '', run_id = '' } = version;
  const logged = /^models:\/(m-[\w-]+)$/.exec(said)?.[1] ?? /\/models\/(m-[\w-]+)\/artifacts\/?$/.exec(said)?.[1];
  const model = logged === undefined ? undefined : modelIds.get(logged);
  if (model !== undefined) return `models:/${model}`;
  const copy = ids.get(run_id);
  const inRun = new RegExp(`^(?:runs:/${run_id}|.*/${run_id}/artifacts)/(.+?)/?$`).exec(said)?.[1];
  if (copy !== undefined && run_id !== '' && inRun !== undefined) return await inCopy(target, copy, inRun);
  if (/^(?:[a-z][a-z0-9+.-]*):\/\/[^/]/.test(said) && !said.startsWith('file:')) return said;
  throw new Error(`its source ${said.slice(0, 200)} is a place of ${source.url} that was not copied`);
}

/** As an address that every server understands. */
async function inCopy(target: MlflowServer, runId: string, path: string): Promise<string> {
  const { run } = (await target.get(`runs/get?run_id=${encodeURIComponent(runId)}`)) as {
    run: { info: { artifact_uri: string } };
  };
  return `${run.info.artifact_uri}/${path}`;
}

async function changeVersion(target: MlflowServer, version: MlflowVersion, number: string): Promise<void> {
  const { name, description = '', current_stage: stage = 'None', tags = [] } = version;
  const where = { name, version: number };
  if (description !== '')
    await target.call('PATCH', '/api/2.0/mlflow/model-versions/update', { ...where, description });
  for (const { key, value } of tags) await target.post('model-versions/set-tag', { ...where, key, value });
  if (stage !== 'None') {
    await target.post('model-versions/transition-stage', { ...where, stage, archive_existing_versions: false });
  }
}
