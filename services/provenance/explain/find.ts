/** What an id names. */
import type { Runtime } from '../../../runtime/engine/runtime.ts';
import { MillraceError } from '../../../runtime/ports/errors.ts';
import { isTopicName, topics } from '../../../schemas/topics.ts';
import type { EventTopic } from '../../../schemas/events.ts';
import { projectedTopics, rowsOf } from '../rows.ts';
import type { ProvenanceStore } from '../index.ts';
import { eventCalled } from '../start-queries.ts';
import type { FindingKind } from './finding-causes.ts';
import type { LinkReader } from './link-reader.ts';
import type { Place } from './link.ts';

export type Named =
  | { readonly kind: 'prediction' | 'run' | 'artifact' | 'trigger' | 'feedback' | 'operation'; readonly id: string }
  | { readonly kind: 'task'; readonly id: string; readonly runId: string }
  | { readonly kind: 'model-version' | 'deployment'; readonly id: string; readonly version: number }
  | { readonly kind: FindingKind; readonly id: string }
  | { readonly kind: 'audit-entry'; readonly id: string; readonly place: Place };

/** Said when nothing is found. */
export const searched =
  'predictions, runs, tasks (or <run>/<task>), artifacts (sha256, or its first 12 digits), model versions (<model>/<version>, models:/<model>@<alias>), deployments (<name> or <name>/<version>), triggers, feedback and rewards, drift, outliers, experiments, quality, alerts, operations, and records (<topic>/<partition>@<offset>)';

type Lookup = (database: ProvenanceStore['database'], id: string) => Promise<Named | undefined>;

const lookups: readonly Lookup[] = [
  async (database, id) => {
    const row = await database.selectFrom('predictions').select('id').where('id', '=', id).executeTakeFirst();
    return row === undefined ? undefined : { kind: 'prediction', id };
  },
  async (database, id) => {
    const row = await database.selectFrom('runs').select('id').where('id', '=', id).executeTakeFirst();
    return row === undefined ? undefined : { kind: 'run', id };
  },
  async (database, id) => {
    const [runId = '', ...task] = id.split('/');
    const row = await database
      .selectFrom('tasks')
      .select('task_id')
      .where('run_id', '=', runId)
      .where('task_id', '=', task.join('/'))
      .executeTakeFirst();
    return row === undefined ? undefined : { kind: 'task', id: row.task_id, runId };
  },
  async (database, id) => {
    const [, given = ''] = /^(?:sha256:)?([0-9a-f]{12,64})$/.exec(id) ?? [];
    if (given === '') return undefined;
    // 'g' is behind every hash that begins so
    const [from, to] = [given, `${given}g`];
    const rows = database.selectFrom('artifacts').select('hash').distinct().where('hash', '>=', from);
    const written = await rows.where('hash', '<', to).limit(2).execute();
    const versions = database
      .selectFrom('versions')
      .select('artifact_hash')
      .distinct()
      .where('artifact_hash', '>=', from);
    const registered = await versions.where('artifact_hash', '<', to).limit(2).execute();
    const [hash, another] = new Set([...written.map((row) => row.hash), ...registered.map((row) => row.artifact_hash)]);
    if (another !== undefined)
      throw new MillraceError('INVALID_ARGUMENT', `several artifacts begin with '${given}': say more of the hash`);
    return hash === undefined ? undefined : { kind: 'artifact', id: hash };
  },
  async (database, id) => {
    const [, model = '', version = ''] = /^(?:models:\/)?(.+)\/(\d+)$/.exec(id) ?? [];
    const row = await database
      .selectFrom('versions')
      .select('model')
      .where('model', '=', model)
      .where('version', '=', Number(version))
      .executeTakeFirst();
    return row === undefined ? undefined : { kind: 'model-version', id: model, version: Number(version) };
  },
  async (database, id) => {
    const [, model = '', alias = ''] = /^(?:models:\/)?(.+)@(.+)$/.exec(id) ?? [];
    const row = await database
      .selectFrom('aliases')
      .select('version')
      .where('model', '=', model)
      .where('alias', '=', alias)
      .executeTakeFirst();
    return row === undefined ? undefined : { kind: 'model-version', id: model, version: row.version };
  },
  async (database, id) => {
    const [, name = id, version] = /^(.+)\/(\d+)$/.exec(id) ?? [];
    let query = database.selectFrom('deployments').select(['deployment', 'version']).where('deployment', '=', name);
    if (version !== undefined) query = query.where('version', '=', Number(version));
    const row = await query.orderBy('version', 'desc').executeTakeFirst();
    return row === undefined ? undefined : { kind: 'deployment', id: row.deployment, version: row.version };
  },
  async (database, id) => {
    const row = await database.selectFrom('feedback').select('id').where('id', '=', id).executeTakeFirst();
    return row === undefined ? undefined : { kind: 'feedback', id };
  },
  async (database, id) => {
    const row = await database
      .selectFrom('findings')
      .select(['kind', 'id'])
      .where(({ eb, or }) => or([eb('id', '=', id), eb('alert_id', '=', id)]))
      .orderBy('time_ms')
      .executeTakeFirst();
    return row === undefined ? undefined : { kind: row.kind as FindingKind, id: row.id };
  },
  // Behind the findings: an alert that flows wait for is a trigger, too.
  async (database, id) => {
    const trigger = await eventCalled(database, id);
    return trigger === undefined ? undefined : { kind: 'trigger', id: trigger };
  },
  async (database, id) => {
    const row = await database.selectFrom('operations').select('id').where('id', '=', id).executeTakeFirst();
    return row === undefined ? undefined : { kind: 'operation', id };
  },
];

export async function findNamed(
  id: string,
  { database, reader, runtime }: { database: ProvenanceStore['database']; reader: LinkReader; runtime: Runtime },
): Promise<Named | undefined> {
  for (const lookup of lookups) {
    const named = await lookup(database, id);
    if (named !== undefined) return named;
  }
  const [, topic = '', partition = '', offset = ''] = /^([a-z-]+)\/(\d+)@(\d+)$/.exec(id) ?? [];
  if (!isTopicName(topic) || topics[topic].events.length === 0 || Number(partition) >= runtime.partitions(topic))
    return undefined;
  const place = { topic, partition: Number(partition), offset: Number(offset) };
  if (topic === 'audit') return { kind: 'audit-entry', id, place };
  if (!(projectedTopics as readonly string[]).includes(topic)) return undefined;
  const { event } = await reader.fact(topic as EventTopic, place);
  // The row that the record made says what it is about.
  const [change] = rowsOf(Object.assign(event, { catalogueTopic: topic }) as never);
  if (change === undefined || !('row' in change)) return undefined;
  const { row } = change as { row: Readonly<Record<string, string | number | null>> };
  const text =
    row['task_id'] !== undefined
      ? `${row['run_id']}/${row['task_id']}`
      : row['model'] !== undefined
        ? `${row['model']}/${row['version']}`
        : row['deployment'] !== undefined && row['id'] === undefined
          ? `${row['deployment']}/${row['version']}`
          : String(row['id'] ?? '');
  for (const lookup of lookups) {
    const named = await lookup(database, text);
    if (named !== undefined) return named;
  }
  return undefined;
}
