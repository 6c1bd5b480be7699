/** Runs as MLflow shows them; empty lists are left out. */
import type { Kysely } from 'kysely';
import { deletedExperiments } from './deleted-experiments.ts';
import type { RunRow } from './tracking.ts';
import type { TrackingRows } from './tables.ts';

/** Rows of one `IN` list: below every database's limit of parameters. */
const idsPerQuery = 1_000;

export function runInfo(row: RunRow): object {
  return {
    run_id: row.id,
    run_uuid: row.id,
    run_name: row.name,
    experiment_id: row.experiment_id,
    user_id: row.user_id,
    status: row.status,
    start_time: row.start_ms,
    ...(row.end_ms === null ? {} : { end_time: row.end_ms }),
    artifact_uri: row.artifact_uri,
    lifecycle_stage: row.lifecycle,
  };
}

export function metricAnswer(row: {
  key: string;
  value: number;
  is_nan: number;
  timestamp: number;
  step: number;
}): object {
  return { key: row.key, value: row.is_nan === 1 ? 'NaN' : row.value, timestamp: row.timestamp, step: row.step };
}

/** In the order of the rows, with all that belongs to each. */
export async function runAnswers(database: Kysely<TrackingRows>, rows: readonly RunRow[]): Promise<readonly object[]> {
  const answers: object[] = [];
  for (let from = 0; from < rows.length; from += idsPerQuery) {
    answers.push(...(await answersOf(database, rows.slice(from, from + idsPerQuery))));
  }
  return answers;
}

async function answersOf(database: Kysely<TrackingRows>, rows: readonly RunRow[]): Promise<readonly object[]> {
  const ids = rows.map(({ id }) => id);
  const [gone, metrics, params, tags, datasets, models] = await Promise.all([
    deletedExperiments(database, [...new Set(rows.map(({ experiment_id }) => experiment_id))]),
    database.selectFrom('latest_metrics').selectAll().where('run_id', 'in', ids).execute(),
    database.selectFrom('params').selectAll().where('run_id', 'in', ids).execute(),
    database.selectFrom('tags').selectAll().where('run_id', 'in', ids).execute(),
    database.selectFrom('datasets').selectAll().where('run_id', 'in', ids).execute(),
    database.selectFrom('run_models').selectAll().where('run_id', 'in', ids).execute(),
  ]);
  const of = {
    metrics: byRun(metrics),
    params: byRun(params),
    tags: byRun(tags),
    datasets: byRun(datasets),
    models: byRun(models),
  };
  return rows.map((row) => {
    const io = of.models.get(row.id) ?? [];
    const model = (direction: string): object[] =>
      io
        .filter((entry) => entry.direction === direction)
        .map(({ model_id, step }) => (direction === 'output' ? { model_id, step } : { model_id }));
    return {
      info: runInfo(gone.has(row.experiment_id) ? { ...row, lifecycle: 'deleted' } : row),
      data: filled({
        metrics: (of.metrics.get(row.id) ?? []).map(metricAnswer),
        params: (of.params.get(row.id) ?? []).map(({ key, value }) => ({ key, value })),
        tags: (of.tags.get(row.id) ?? []).map(({ key, value }) => ({ key, value })),
      }),
      inputs: filled({
        dataset_inputs: (of.datasets.get(row.id) ?? []).map(datasetInput),
        model_inputs: model('input'),
      }),
      ...(io.some(({ direction }) => direction === 'output') ? { outputs: { model_outputs: model('output') } } : {}),
    };
  });
}

function datasetInput(row: TrackingRows['datasets']): object {
  const { name, digest, source_type, source, schema, profile } = row;
  const tags = Object.entries(JSON.parse(row.tags) as Record<string, string>).map(([key, value]) => ({ key, value }));
  return filled({
    tags,
    dataset: {
      name,
      digest,
      source_type,
      source,
      ...(schema === null ? {} : { schema }),
      ...(profile === null ? {} : { profile }),
    },
  });
}

function byRun<R extends { readonly run_id: string }>(rows: readonly R[]): ReadonlyMap<string, readonly R[]> {
  const grouped = new Map<string, R[]>();
  for (const row of rows) {
    const group = grouped.get(row.run_id);
    if (group === undefined) grouped.set(row.run_id, [row]);
    else group.push(row);
  }
  return grouped;
}

/** Without empty lists. */
export function filled(values: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => !Array.isArray(value) || value.length > 0));
}
