import type { ProjectedEvent } from '../../runtime/engine/projection.ts';
import type { EventTopic } from '../../schemas/events.ts';
import { experimentOfFlow } from '../../schemas/flow-experiment.ts';
import { registryRows } from './registry-rows.ts';
import { type Change, keyed, number } from './row-changes.ts';

export const trackedTopics = ['experiments', 'tracking', 'registry'] as const satisfies readonly EventTopic[];
export type TrackedTopic = (typeof trackedTopics)[number];

/** What an event means for the tables: pure, one case an event. */
export function rowsOf(event: ProjectedEvent<TrackedTopic>): readonly Change[] {
  if (event.catalogueTopic === 'experiments') return experimentRows(event);
  if (event.catalogueTopic === 'registry') return registryRows(event);
  return runRows(event);
}

function experimentRows({ type, data, timeMs }: ProjectedEvent<'experiments'>): readonly Change[] {
  if (type === 'experiment-created') {
    const { experimentId: id, name, artifactLocation: artifact_location, tags } = data;
    const row = { id, name, artifact_location, lifecycle: 'active', created_ms: timeMs, updated_ms: timeMs };
    return [
      { table: 'experiments', row },
      ...keyed(tags, (key, value) => ({
        table: 'experiment_tags',
        row: { experiment_id: id, key, value },
        set: 'all',
      })),
    ];
  }
  if (type !== 'experiment-changed') return [];
  const { experimentId: id, change, key, value } = data;
  const lifecycle = change === 'delete' ? 'deleted' : 'active';
  const row = { id, name: value, artifact_location: '', lifecycle, created_ms: timeMs, updated_ms: timeMs };
  switch (change) {
    case 'rename':
      return [{ table: 'experiments', row, set: ['name', 'updated_ms'] }];
    case 'delete':
    case 'restore':
      return [{ table: 'experiments', row, set: ['lifecycle', 'updated_ms'] }];
    case 'set-tag':
      return [{ table: 'experiment_tags', row: { experiment_id: id, key, value }, set: 'all' }];
    default:
      return [{ table: 'experiment_tags', remove: { experiment_id: id, key } }];
  }
}

function runRows({ type, data, timeMs }: ProjectedEvent<'tracking'>): readonly Change[] {
  switch (type) {
    case 'run-begun': {
      const { runId: id, experimentId: experiment_id, name, userId: user_id, status, startTime: start_ms, tags } = data;
      const { flow = '', artifactUri: artifact_uri } = data;
      const rest = { end_ms: null, lifecycle: 'active', artifact_uri, flow };
      const row = { id, experiment_id, name, user_id, status, start_ms, ...rest };
      return [...experimentOf(flow, timeMs), { table: 'runs', row }, ...tagged(id, tags)];
    }
    case 'run-changed': {
      const { runId, status, endTime, name, lifecycle } = data;
      const set: ('status' | 'end_ms' | 'name' | 'lifecycle')[] = [];
      if (status !== null) set.push('status');
      if (endTime !== null) set.push('end_ms');
      if (name !== null) set.push('name');
      if (lifecycle !== null) set.push('lifecycle');
      const known = { status: status ?? '', end_ms: endTime, name: name ?? '', lifecycle: lifecycle ?? '' };
      const unknown = { experiment_id: '', user_id: '', start_ms: 0, artifact_uri: '', flow: '' };
      return [{ table: 'runs', row: { id: runId, ...unknown, ...known }, set }];
    }
    case 'values-logged': {
      const { runId: run_id, experimentId: experiment_id, metrics, params, tags, removedTags } = data;
      return [
        ...metrics.flatMap(({ key, value, timestamp, step, modelId, datasetName, datasetDigest }): Change[] => {
          const point = { run_id, key, timestamp, step, ...number(value) };
          return [
            { table: 'metric_points', row: point },
            { table: 'latest_metrics', row: { experiment_id, ...point }, set: 'all' },
            ...(modelId === null ? [] : [modelMetric(modelId, datasetName ?? '', datasetDigest ?? '', point)]),
          ];
        }),
        ...keyed(params, (key, value) => ({ table: 'params', row: { run_id, key, value } })),
        ...tagged(run_id, tags),
        ...removedTags.map((key): Change => ({ table: 'tags', remove: { run_id, key } })),
      ];
    }
    case 'inputs-logged': {
      const { runId: run_id, datasets, models, outputs } = data;
      return [
        ...datasets.map(({ name, digest, sourceType, source, schema, profile, tags }): Change => {
          const context = tags['mlflow.data.context'] ?? '';
          const what = { source_type: sourceType, source, schema, profile, context, tags: JSON.stringify(tags) };
          // As in MLflow, a run has a data set once, with the tags that it came with first.
          return { table: 'datasets', row: { run_id, name, digest, ...what } };
        }),
        ...models.map(
          (model_id): Change => ({ table: 'run_models', row: { run_id, direction: 'input', model_id, step: 0 } }),
        ),
        ...outputs.map(
          ({ modelId: model_id, step }): Change => ({
            table: 'run_models',
            row: { run_id, direction: 'output', model_id, step },
            set: 'all',
          }),
        ),
      ];
    }
    case 'artifact-logged': {
      const { ownerId: owner_id, path, hash, sizeBytes: size_bytes } = data;
      if (hash === null) return [{ table: 'artifacts', remove: { owner_id, path } }];
      return [{ table: 'artifacts', row: { owner_id, path, hash, size_bytes }, set: 'all' }];
    }
    case 'model-logged': {
      const { modelId: id, experimentId: experiment_id, name, modelType, sourceRunId, tags, params } = data;
      const at = { status: 'LOGGED_MODEL_PENDING', lifecycle: 'active', created_ms: timeMs, updated_ms: timeMs };
      const row = {
        id,
        experiment_id,
        name,
        model_type: modelType,
        source_run_id: sourceRunId,
        artifact_uri: data.artifactUri,
        ...at,
      };
      return [{ table: 'logged_models', row }, ...modelValues(id, tags, params, [])];
    }
    case 'model-changed': {
      const { modelId: id, status, tags, params, removedTags, deleted } = data;
      const unknown = {
        experiment_id: '',
        name: '',
        model_type: '',
        source_run_id: '',
        artifact_uri: '',
        created_ms: timeMs,
      };
      const lifecycle = deleted ? 'deleted' : 'active';
      return [
        {
          table: 'logged_models',
          row: { id, ...unknown, status: status ?? '', lifecycle, updated_ms: timeMs },
          set: status === null ? ['lifecycle', 'updated_ms'] : ['status', 'lifecycle', 'updated_ms'],
        },
        ...modelValues(id, tags, params, removedTags),
      ];
    }
  }
}

type Texts = Readonly<Record<string, string>>;

/** The first run of a flow makes its experiment. */
function experimentOf(flow: string, timeMs: number): readonly Change[] {
  if (flow === '') return [];
  const { id, name, artifactLocation: artifact_location } = experimentOfFlow(flow);
  const row = { id, name, artifact_location, lifecycle: 'active', created_ms: timeMs, updated_ms: timeMs };
  return [{ table: 'experiments', row }];
}

function tagged(run_id: string, tags: Texts): readonly Change[] {
  return keyed(tags, (key, value) => ({ table: 'tags', row: { run_id, key, value }, set: 'all' }));
}

function modelValues(model_id: string, tags: Texts, params: Texts, removed: readonly string[]): readonly Change[] {
  return [
    ...keyed(tags, (key, value) => ({ table: 'logged_model_tags', row: { model_id, key, value }, set: 'all' })),
    ...keyed(params, (key, value) => ({ table: 'logged_model_params', row: { model_id, key, value } })),
    ...removed.map((key): Change => ({ table: 'logged_model_tags', remove: { model_id, key } })),
  ];
}

function modelMetric(
  model_id: string,
  dataset_name: string,
  dataset_digest: string,
  point: { run_id: string; key: string; timestamp: number; step: number; value: number; is_nan: number },
): Change {
  return { table: 'logged_model_metrics', row: { model_id, dataset_name, dataset_digest, ...point }, set: 'all' };
}
