/** What of runs is to be kept, for whoever collects garbage. */
import { parseDurationMs } from '../../schemas/durations.ts';
import { hasCode } from '../../runtime/ports/errors.ts';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import type { ProvenanceStore } from './index.ts';

const pageRuns = 200;

/** A run's own tag says how long it is kept: `keep` for ever, `retain:90d` so long after its end. */
function retainedMs(tags: readonly string[], olderThanMs: number): number {
  if (tags.includes('keep')) return Number.POSITIVE_INFINITY;
  const said = tags.flatMap((tag) => (tag.startsWith('retain:') ? [parseDurationMs(tag.slice(7))] : []));
  // one that cannot be read holds what it was meant to hold
  if (said.includes(undefined)) return Number.POSITIVE_INFINITY;
  return said.length === 0 ? olderThanMs : Math.max(...said.map((ms) => ms ?? 0));
}

export async function expiredRuns(
  { database }: ProvenanceStore,
  nowMs: number,
  olderThanMs: number,
): Promise<ReadonlySet<string>> {
  const labels = database
    .selectFrom('run_labels')
    .select(['run_id', 'name'])
    .where('kind', '=', 'tag')
    .where((either) => either.or([either('name', '=', 'keep'), either('name', 'like', 'retain:%')]));
  const tags = new Map<string, string[]>();
  for (const { run_id, name } of await labels.execute()) tags.set(run_id, [...(tags.get(run_id) ?? []), name]);
  const ended = await database
    .selectFrom('runs')
    .select(['id', 'ended_at', 'resumable_ms'])
    .where('ended_at', 'is not', null)
    .execute();
  const over = ended.filter(({ id, ended_at: endedAt, resumable_ms: resumableMs }) => {
    const keptMs = Math.max(retainedMs(tags.get(id) ?? [], olderThanMs), resumableMs);
    return (endedAt ?? nowMs) + keptMs < nowMs;
  });
  return new Set(over.map(({ id }) => id));
}

/** Hashes that rows of runs name which have not expired, page by page. */
export async function* blobsOfRuns(
  { database }: ProvenanceStore,
  expired: ReadonlySet<string>,
): AsyncGenerator<readonly string[]> {
  for (let after = ''; ; ) {
    const runs = await database
      .selectFrom('runs')
      .select(['id', 'bundle_hash', 'parameters'])
      .where('id', '>', after)
      .orderBy('id')
      .limit(pageRuns)
      .execute();
    const last = runs.at(-1);
    if (last === undefined) return;
    after = last.id;
    const kept = runs.filter(({ id }) => !expired.has(id));
    if (kept.length === 0) continue;
    yield kept.flatMap(({ bundle_hash, parameters }) => [bundle_hash, ...(parameters.match(/[0-9a-f]{64}/g) ?? [])]);
    const ids = kept.map(({ id }) => id);
    const saved = database
      .selectFrom('checkpoints')
      .leftJoin('tasks', (on) =>
        on.onRef('tasks.run_id', '=', 'checkpoints.run_id').onRef('tasks.task_id', '=', 'checkpoints.task_id'),
      )
      .select('hash')
      .where('checkpoints.run_id', 'in', ids)
      .where((either) =>
        either.or([
          either('kept', '=', 1),
          either('tasks.status', 'is', null),
          either('tasks.status', '!=', 'completed'),
        ]),
      );
    yield (await saved.execute()).map(({ hash }) => hash);
    for (const table of ['artifacts', 'task_cards'] as const) {
      const rows = await database.selectFrom(table).select('hash').distinct().where('run_id', 'in', ids).execute();
      yield rows.map(({ hash }) => hash);
    }
    const attempts = database.selectFrom('attempts').select(['logs_hash', 'cards']).where('run_id', 'in', ids);
    for (const { logs_hash: logs, cards } of await attempts.execute())
      yield [...(logs === null ? [] : [logs]), ...(cards.match(/[0-9a-f]{64}/g) ?? [])];
  }
}

/** Rows are made of the log; where its beginning is gone, they are all only if they were made before it went. */
export async function incompleteRows({ database }: ProvenanceStore, runtime: Runtime): Promise<string | undefined> {
  const starts = await runtime.parts.log.startOffsets(runtime.topic('artifacts')).catch((error: unknown) => {
    if (hasCode(error, 'NOT_FOUND')) return [];
    throw error;
  });
  for (const [partition, start] of starts.entries()) {
    if (start === 0) continue;
    const of = (table: 'artifacts' | 'checkpoints') =>
      database
        .selectFrom(table)
        .select((each) => each.fn.min('offset').as('first'))
        .where('partition', '=', partition)
        .executeTakeFirst();
    const firsts = [(await of('artifacts'))?.first, (await of('checkpoints'))?.first];
    if (Math.min(...firsts.map((first) => Number(first ?? Number.POSITIVE_INFINITY))) > 0)
      return `artifacts/${partition} of the log begins at ${start}, and the query store does not know what was before: give it the store that does`;
  }
  return undefined;
}
