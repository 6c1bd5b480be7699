/** The model registry: models, versions, aliases, stages. Each change is asked of the topology `registry`, which answers by a fact. */
import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import { invalidArgument, MillraceError } from '../../../runtime/ports/errors.ts';
import { isLatest } from '../../../schemas/codec/model-names.ts';
import type { EditRequested } from '../../../schemas/events.ts';
import { signatureTag } from '../../../topologies/registry/alias-rules.ts';
import { isStage, stageProblem } from '../../../topologies/registry/stages.ts';
import { filled } from '../run-answers.ts';
import { modelVersionDomain, registeredModelDomain } from '../search/domains.ts';
import { searchPage } from '../search/search.ts';
import type { TrackingRows } from '../tables.ts';
import type { Call, Room } from './calls.ts';
import { checkKey, checkLength, idIn, limits, pairsOf } from './checks.ts';
import type { Fields } from './fields.ts';
import { modelSource } from './model-source.ts';
import { sourceOf } from './registered-files.ts';
import { modelAnswers, versionAnswers } from './registry-answers.ts';

type Database = Kysely<TrackingRows>;
type Edit = Pick<EditRequested, 'model' | 'edit'> & Partial<Omit<EditRequested, 'requestId' | 'actor'>>;

export function registeredModels(room: Room): void {
  const { read, write, tracking } = room;

  write('POST', '/mlflow/registered-models/create', 'model.create', async (call) => {
    const model = call.fields.text('name');
    const value = checkLength(call.fields.optional('description') ?? '', limits.description, 'Description');
    const tags = pairsOf(call.fields.objects('tags'), 'Registered model tag', limits.registryTagValue);
    if (tags['mlflow.prompt.is_prompt']?.toLowerCase() === 'true')
      throw invalidArgument(
        `Prompt '${model.slice(0, 80)}' is not registered: this server keeps models, and no prompts`,
      );
    return {
      registered_model: await shownModel(await editModel(room, call, { model, edit: 'create', value, tags }), model),
    };
  });

  write('POST', '/mlflow/registered-models/rename', 'model.rename', async (call) => {
    const [model, value] = [call.fields.text('name'), call.fields.text('new_name')];
    const database = await editModel(room, call, { model, edit: 'rename', value });
    return { registered_model: await shownModel(database, value) };
  });

  write('PATCH', '/mlflow/registered-models/update', 'model.describe', async (call) => {
    const model = call.fields.text('name');
    const value = checkLength(call.fields.optional('description') ?? '', limits.description, 'Description');
    return {
      registered_model: await shownModel(await editModel(room, call, { model, edit: 'describe', value }), model),
    };
  });

  write('DELETE', '/mlflow/registered-models/delete', 'model.delete', async (call) => {
    await editModel(room, call, { model: call.fields.text('name'), edit: 'delete' });
    return {};
  });

  write('POST', '/mlflow/registered-models/set-tag', 'model.set-tag', async (call) => {
    await editModel(room, call, { model: call.fields.text('name'), edit: 'tag', ...tagOf(call.fields) });
    return {};
  });

  write('DELETE', '/mlflow/registered-models/delete-tag', 'model.delete-tag', async (call) => {
    const key = checkKey(call.fields.text('key'), 'Registered model tag');
    await editModel(room, call, { model: call.fields.text('name'), edit: 'untag', key });
    return {};
  });

  read('GET', '/mlflow/registered-models/get', async ({ fields }) => {
    const name = fields.text('name');
    return { registered_model: await shownModel(await tracking.fresh('registry'), name) };
  });

  read(['GET', 'POST'], '/mlflow/registered-models/search', async ({ fields }) => {
    const database = await tracking.fresh('registry');
    const { rows, token } = await searchPage<TrackingRows['registered_models']>(database, {
      domain: registeredModelDomain,
      table: 'registered_models',
      filter: fields.optional('filter') ?? '',
      orderBy: fields.texts('order_by'),
      defaultOrder: [{ value: sql.ref('registered_models.name'), type: 'text', nullable: false, descending: false }],
      where: [sql`1 = 1`],
      pageToken: fields.optional('page_token') ?? '',
      max: fields.maxResults(100, 1_000),
    });
    return filled({
      registered_models: await modelAnswers(database, rows),
      ...(token === '' ? {} : { next_page_token: token }),
    });
  });

  read(['GET', 'POST'], '/mlflow/registered-models/get-latest-versions', async ({ fields }) => {
    const name = fields.text('name');
    const wantedStages = fields.texts('stages').map(stageOf);
    const unknown = wantedStages.find((stage) => !isStage(stage));
    if (unknown !== undefined) throw invalidArgument(stageProblem(unknown));
    const database = await tracking.fresh('registry');
    await shownModel(database, name);
    const rows = await database
      .selectFrom('model_versions')
      .selectAll()
      .where('name', '=', name)
      .orderBy('version', 'desc')
      .execute();
    const latest = rows.filter((row, index) => rows.findIndex(({ stage }) => stage === row.stage) === index);
    const wanted = latest.filter(({ stage }) => wantedStages.length === 0 || wantedStages.includes(stage));
    return filled({ model_versions: await versionAnswers(database, wanted) });
  });

  aliases(room);
}

function aliases(room: Room): void {
  const { read, write, tracking, gateway } = room;

  write('POST', '/mlflow/registered-models/alias', 'model.set-alias', async (call) => {
    const { fields, request, operation } = call;
    const { requestId, actor } = operation;
    const data = {
      model: fields.text('name'),
      alias: fields.text('alias'),
      version: versionOf(fields),
      requestId,
      actor,
    };
    // The topology would refuse as well; the client wants to know what is missing.
    await versionRow(await tracking.fresh('registry'), data.model, data.version);
    await gateway.decisions.ask('alias-set', data.model, requestId, () =>
      gateway.operations.publish(request, operation, `${data.model}@${data.alias}`, [
        { topic: 'registry', type: 'alias-requested', data, key: data.model, id: requestId },
      ]),
    );
    return {};
  });

  write('DELETE', '/mlflow/registered-models/alias', 'model.remove-alias', async (call) => {
    const key = call.fields.text('alias');
    await editModel(room, call, { model: call.fields.text('name'), edit: 'remove-alias', key });
    return {};
  });

  read('GET', '/mlflow/registered-models/alias', async ({ fields }) => {
    const [name, alias] = [fields.text('name'), fields.text('alias')];
    const database = await tracking.fresh('registry');
    if (isLatest(alias)) return { model_version: await newestVersion(database, name) };
    const row = await database
      .selectFrom('aliases')
      .select('version')
      .where('name', '=', name)
      .where('alias', '=', alias)
      .executeTakeFirst();
    if (row === undefined) {
      await shownModel(database, name);
      // A client takes this code for "there is no such alias".
      throw invalidArgument(`Registered model alias ${alias} not found.`);
    }
    return { model_version: await shownVersion(database, name, row.version) };
  });
}

export function modelVersions(room: Room): void {
  const { read, write, tracking } = room;

  write('POST', '/mlflow/model-versions/create', 'model.register', (call) => registerVersion(room, call, null));

  const change = (
    method: 'POST' | 'PATCH' | 'DELETE',
    path: string,
    action: string,
    editOf: (fields: Fields) => Omit<Edit, 'model'>,
  ): void => {
    write(method, `/mlflow/model-versions/${path}`, `model.${action}`, async (call) => {
      const { fields } = call;
      const [model, version] = [fields.text('name'), versionOf(fields)];
      const asked = editOf(fields);
      const database = await editModel(room, call, { model, version, ...asked });
      if (asked.edit !== 'describe' && asked.edit !== 'stage') return {};
      return { model_version: await shownVersion(database, model, version) };
    });
  };
  change('PATCH', 'update', 'describe-version', (fields) => ({
    edit: 'describe',
    value: checkLength(fields.optional('description') ?? '', limits.description, 'Description'),
  }));
  change('DELETE', 'delete', 'delete-version', () => ({ edit: 'delete' }));
  change('POST', 'set-tag', 'tag-version', (fields) => ({ edit: 'tag', ...tagOf(fields) }));
  change('DELETE', 'delete-tag', 'untag-version', (fields) => ({
    edit: 'untag',
    key: checkKey(fields.text('key'), 'Model version tag'),
  }));
  change('POST', 'transition-stage', 'stage-version', (fields) => {
    const archive = fields.flag('archive_existing_versions');
    const value = stageOf(fields.text('stage'));
    if (archive && !['Staging', 'Production'].includes(value)) {
      throw invalidArgument(
        `Model version transition cannot archive existing model versions because '${value}' is not an Active stage. Valid stages are Staging, Production`,
      );
    }
    return { edit: 'stage', value, archive };
  });

  read('GET', '/mlflow/model-versions/get', async ({ fields }) => {
    const database = await tracking.fresh('registry');
    return { model_version: await shownVersion(database, fields.text('name'), versionOf(fields)) };
  });

  read('GET', '/mlflow/model-versions/get-download-uri', async ({ fields }) => {
    const row = await versionRow(await tracking.fresh('registry'), fields.text('name'), versionOf(fields));
    const model = row.source.startsWith('models:/');
    return { artifact_uri: model ? (await modelSource(tracking, row.source)).uri : sourceOf(row) };
  });

  read(['GET', 'POST'], '/mlflow/model-versions/search', async ({ fields }) => {
    const database = await tracking.fresh('registry');
    const { rows, token } = await searchPage<TrackingRows['model_versions']>(database, {
      domain: modelVersionDomain,
      table: 'model_versions',
      filter: fields.optional('filter') ?? '',
      orderBy: fields.texts('order_by'),
      defaultOrder: [
        { value: sql.ref('model_versions.updated_ms'), type: 'number', nullable: false, descending: true },
        { value: sql.ref('model_versions.name'), type: 'text', nullable: false, descending: false },
        { value: sql.ref('model_versions.version'), type: 'number', nullable: false, descending: true },
      ],
      where: [sql`1 = 1`],
      pageToken: fields.optional('page_token') ?? '',
      max: fields.maxResults(10_000, 200_000),
    });
    return filled({
      model_versions: await versionAnswers(database, rows),
      ...(token === '' ? {} : { next_page_token: token }),
    });
  });
}

/** @param number the one to give; null: the next one */
export async function registerVersion(
  { tracking, gateway }: Room,
  { fields, request, operation }: Call,
  number: number | null,
): Promise<object> {
  const model = fields.text('name');
  const { requestId, actor } = operation;
  await shownModel(await tracking.fresh('registry'), model);
  const source = fields.text('source');
  const { uri, artifact, signature } = await modelSource(tracking, source);
  const known = (name: string): string | null => ((fields.optional(name) ?? '') === '' ? null : idIn(fields, name));
  const database = await tracking.fresh('tracking');
  const loggedModel = /^models:\/(m-[\w-]{1,200})$/.exec(source)?.[1];
  const modelId = known('model_id') ?? loggedModel ?? null;
  // Clients of 3.x name the logged model, which knows its run.
  const runId = known('run_id') ?? (await sourceRunOf(database, modelId));
  // What a client says of the signature is no fact of the file.
  const { [signatureTag]: _, ...tags } = pairsOf(fields.objects('tags'), 'Model version tag', limits.registryTagValue);
  const data = {
    model,
    requestId,
    runId,
    taskId: null,
    flow: null,
    artifact,
    metrics: await metricsOf(database, runId, modelId),
    tags: signature === undefined ? tags : { ...tags, [signatureTag]: signature },
    alias: null,
    description: checkLength(fields.optional('description') ?? '', limits.description, 'Description'),
    actor,
    source: loggedModel === undefined ? uri : source,
    runLink: fields.optional('run_link') ?? '',
    modelId,
    number,
  };
  const registered = (await gateway.decisions.ask('version-registered', model, requestId, () =>
    gateway.operations.publish(request, operation, model, [
      { topic: 'registry', type: 'version-requested', data, key: model, id: requestId },
    ]),
  )) as { readonly version: number };
  return { model_version: await shownVersion(await tracking.fresh('registry'), model, registered.version) };
}

async function sourceRunOf(database: Database, modelId: string | null): Promise<string | null> {
  if (modelId === null) return null;
  const models = database.selectFrom('logged_models').select('source_run_id').where('id', '=', modelId);
  const { source_run_id: runId = '' } = (await models.executeTakeFirst()) ?? {};
  return runId === '' ? null : runId;
}

const metricsMax = 200;

/** As they are now, what rules of aliases compare: of the run, and before those what was logged for this one of its models. */
async function metricsOf(
  database: Database,
  runId: string | null,
  modelId: string | null,
): Promise<Readonly<Record<string, number>>> {
  const ofRun = await database
    .selectFrom('latest_metrics')
    .select(['key', 'value'])
    .where('run_id', '=', runId ?? '')
    .where('is_nan', '=', 0)
    .orderBy('key')
    .limit(metricsMax)
    .execute();
  const ofModel = await database
    .selectFrom('logged_model_metrics')
    .select(['key', 'value'])
    .where('model_id', '=', modelId ?? '')
    .where('is_nan', '=', 0)
    .orderBy('step')
    .orderBy('timestamp')
    .limit(metricsMax)
    .execute();
  return Object.fromEntries([...ofRun, ...ofModel].map(({ key, value }) => [key, value]));
}

/** Asks and waits for the fact; the tables that are answered have it. */
export async function editModel(
  { gateway, tracking }: Room,
  { request, operation }: Call,
  asked: Edit,
): Promise<Database> {
  const { requestId, actor } = operation;
  const data = { version: null, key: '', value: '', tags: {}, archive: false, ...asked, requestId, actor };
  await gateway.decisions.ask('edited', data.model, requestId, () =>
    gateway.operations.publish(request, operation, data.model, [
      { topic: 'registry', type: 'edit-requested', data, key: data.model, id: requestId },
    ]),
  );
  return await tracking.fresh('registry');
}

export async function shownModel(database: Database, name: string): Promise<object | undefined> {
  const row = await database.selectFrom('registered_models').selectAll().where('name', '=', name).executeTakeFirst();
  if (row === undefined) throw new MillraceError('NOT_FOUND', `Registered Model with name=${name} not found`);
  return (await modelAnswers(database, [row]))[0];
}

async function shownVersion(database: Database, name: string, version: number): Promise<object | undefined> {
  return (await versionAnswers(database, [await versionRow(database, name, version)]))[0];
}

async function newestVersion(database: Database, name: string): Promise<object | undefined> {
  await shownModel(database, name);
  const versions = database.selectFrom('model_versions').selectAll().where('name', '=', name);
  const newest = await versions.orderBy('version', 'desc').limit(1).executeTakeFirst();
  if (newest === undefined) throw new MillraceError('NOT_FOUND', `Latest version not found for model ${name}.`);
  return (await versionAnswers(database, [newest]))[0];
}

async function versionRow(database: Database, name: string, version: number): Promise<TrackingRows['model_versions']> {
  const row = await database
    .selectFrom('model_versions')
    .selectAll()
    .where('name', '=', name)
    .where('version', '=', version)
    .executeTakeFirst();
  if (row === undefined)
    throw new MillraceError('NOT_FOUND', `Model Version (name=${name}, version=${version}) not found`);
  return row;
}

function versionOf(fields: Fields): number {
  const version = fields.integer('version');
  if (version === undefined) throw invalidArgument("Missing value for required parameter 'version'.");
  if (version >= 1 && version <= 2 ** 31 - 1) return version;
  throw new MillraceError('NOT_FOUND', `Model Version (version=${version}) not found: versions are numbered from 1 on`);
}

function tagOf(fields: Fields): { key: string; value: string } {
  return {
    key: checkKey(fields.text('key'), 'Tag'),
    value: checkLength(fields.optional('value') ?? '', limits.registryTagValue, 'Tag value'),
  };
}

/** In any case of letters. */
function stageOf(said: string): string {
  return said.charAt(0).toUpperCase() + said.slice(1).toLowerCase();
}
