/** Runs, their tasks and artifacts as people look for them: newest first, page by page. */
import type { Expression, ExpressionBuilder } from 'kysely';
import { MillraceError } from '../../runtime/ports/errors.ts';
import type { RowsOf } from '../../runtime/ports/query-store.ts';
import type {
  ArtifactPage,
  ArtifactSearch,
  NamedValue,
  RunPage,
  RunSearch,
  RunSummary,
} from '../../schemas/api/runs.ts';
import type { ProvenanceStore } from './index.ts';
import type { ProvenanceTables } from './tables.ts';
import { searchedMax } from './rows.ts';

/** Up to so many runs that a search finds are looked up; of more the newest ones are tried one by one, and soon there is a page. */
const fewRuns = 1_000;

type Database = ProvenanceStore['database'];
type Where = ExpressionBuilder<RowsOf<ProvenanceTables>, 'runs'>;

/** Something that a run has: as the ids of runs that have it, and as a question to one run. */
interface Search {
  ids(database: Database, limit: number): Promise<readonly string[]>;
  of(where: Where): Expression<unknown>;
}

function searchesOf({ tags = [], parameters = [], artifacts = [] }: RunSearch): readonly Search[] {
  return [
    ...tags.map((name) => labelled(['tag', 'system'], name, '')),
    ...parameters.map(({ name, value }) => labelled(['parameter'], name, value.slice(0, searchedMax))),
    ...artifacts.map(wrote),
  ];
}

function labelled(kinds: readonly string[], name: string, value: string): Search {
  return {
    ids: async (database, limit) => {
      const found = await Promise.all(
        kinds.map((kind) =>
          database
            .selectFrom('run_labels')
            .select('run_id')
            .where('kind', '=', kind)
            .where('name', '=', name)
            .where('value', '=', value)
            .limit(limit)
            .execute(),
        ),
      );
      return found.flat().map(({ run_id }) => run_id);
    },
    of: (where) =>
      where
        .selectFrom('run_labels')
        .select('run_labels.name')
        .whereRef('run_labels.run_id', '=', 'runs.id')
        .where('run_labels.kind', 'in', [...kinds])
        .where('run_labels.name', '=', name)
        .where('run_labels.value', '=', value),
  };
}

function wrote({ name, value }: NamedValue): Search {
  return {
    ids: async (database, limit) => {
      const query = database
        .selectFrom('artifacts')
        .select('run_id')
        .where('name', '=', name)
        .where('value', '=', value);
      return (await query.limit(limit).execute()).map(({ run_id }) => run_id);
    },
    of: (where) =>
      where
        .selectFrom('artifacts')
        .select('artifacts.name')
        .whereRef('artifacts.run_id', '=', 'runs.id')
        .where('artifacts.name', '=', name)
        .where('artifacts.value', '=', value),
  };
}

/** With the labels of each run. `next` is null on the last page. */
export async function findRuns({ database }: ProvenanceStore, filter: RunSearch): Promise<RunPage> {
  const { flow, status, actor, since, until, limit, cursor } = filter;
  let query = database.selectFrom('runs').selectAll('runs');
  if (flow !== undefined) query = query.where('runs.flow', '=', flow);
  if (status !== undefined) query = query.where('runs.status', '=', status);
  if (actor !== undefined) query = query.where('runs.actor', '=', actor);
  if (since !== undefined) query = query.where('runs.requested_at', '>=', since);
  if (until !== undefined) query = query.where('runs.requested_at', '<', until);
  for (const search of searchesOf(filter)) {
    const few = await search.ids(database, fewRuns + 1);
    if (few.length === 0) return { runs: [], next: null };
    query =
      few.length <= fewRuns
        ? query.where('runs.id', 'in', few)
        : query.where((where) => where.exists(search.of(where)));
  }
  const after = cursor === undefined ? undefined : placeOf(cursor);
  if (after !== undefined)
    query = query
      .where('runs.requested_at', '<=', after.at)
      .where((where) => where.or([where('runs.requested_at', '<', after.at), where('runs.id', '<', after.id)]));
  const found = await query
    .orderBy('runs.requested_at', 'desc')
    .orderBy('runs.id', 'desc')
    .limit(limit + 1)
    .execute();
  const page = found.slice(0, limit);
  const labels = await labelsOf(
    database,
    page.map(({ id }) => id),
  );
  const last = page.at(-1);
  return {
    runs: page.map((run) => ({ ...summaryOf(run), ...tagsOf(labels.get(run.id) ?? []) })),
    next: found.length > limit && last !== undefined ? `${last.requested_at}-${last.id}` : null,
  };
}

export async function tagsOfRun({ database }: ProvenanceStore, runId: string) {
  return tagsOf((await labelsOf(database, [runId])).get(runId) ?? []);
}

/** Newest first; of one run in the order in which they were written. `next` is null on the last page. */
export async function findArtifacts({ database }: ProvenanceStore, filter: ArtifactSearch): Promise<ArtifactPage> {
  const { runId, taskId, step, name, hash, value, limit, cursor } = filter;
  let query = database.selectFrom('artifacts').selectAll();
  if (runId !== undefined) query = query.where('run_id', '=', runId);
  if (taskId !== undefined) query = query.where('task_id', '=', taskId);
  if (step !== undefined) query = query.where('step', '=', step);
  if (name !== undefined) query = query.where('name', '=', name);
  if (hash !== undefined) query = query.where('hash', '=', hash);
  if (value !== undefined) query = query.where('value', '=', value);
  const skipped = cursor === undefined ? 0 : Number(cursor);
  if (!Number.isSafeInteger(skipped) || skipped < 0) throw badCursor(cursor ?? '');
  const ordered = runId === undefined ? query.orderBy('written_at', 'desc') : query.orderBy('task_id').orderBy('name');
  const found = await ordered
    .orderBy('partition')
    .orderBy('offset')
    .limit(limit + 1)
    .offset(skipped)
    .execute();
  return {
    artifacts: found.slice(0, limit).map((row) => ({
      runId: row.run_id,
      taskId: row.task_id,
      step: row.step,
      name: row.name,
      hash: row.hash,
      sizeBytes: row.size_bytes,
      codec: row.codec,
      inline: row.inline,
      originRunId: row.origin_run_id,
      writtenAt: row.written_at,
    })),
    next: found.length > limit ? String(skipped + limit) : null,
  };
}

interface Label {
  readonly kind: string;
  readonly name: string;
  readonly value: string;
}

async function labelsOf(
  database: ProvenanceStore['database'],
  runIds: readonly string[],
): Promise<ReadonlyMap<string, readonly Label[]>> {
  const labels = new Map<string, Label[]>();
  if (runIds.length === 0) return labels;
  const rows = await database
    .selectFrom('run_labels')
    .selectAll()
    .where('run_id', 'in', [...runIds])
    .orderBy('name')
    .execute();
  for (const row of rows) labels.set(row.run_id, [...(labels.get(row.run_id) ?? []), row]);
  return labels;
}

function tagsOf(labels: readonly Label[]): {
  readonly tags: readonly string[];
  readonly systemTags: readonly string[];
} {
  const of = (kind: string): string[] => labels.filter((one) => one.kind === kind).map(({ name }) => name);
  return { tags: of('tag'), systemTags: of('system') };
}

/** What a list shows of a run. */
export function summaryOf(run: {
  readonly id: string;
  readonly flow: string;
  readonly version: number;
  readonly status: string;
  readonly requested_at: number;
  readonly ended_at: number | null;
  readonly actor: string;
}): Omit<RunSummary, 'tags' | 'systemTags'> {
  return {
    runId: run.id,
    flow: run.flow,
    version: run.version,
    status: run.status,
    startedAt: run.requested_at,
    endedAt: run.ended_at,
    actor: run.actor,
  };
}

function placeOf(cursor: string): { readonly at: number; readonly id: string } {
  const [, at = '', id = ''] = /^(\d{1,16})-([0-9a-zA-Z_.-]{1,400})$/.exec(cursor) ?? [];
  if (id === '') throw badCursor(cursor);
  return { at: Number(at), id };
}

export function badCursor(cursor: string): MillraceError {
  return new MillraceError('INVALID_ARGUMENT', `cursor '${cursor.slice(0, 80)}' is none of a page of this list`);
}
