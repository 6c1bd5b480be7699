/** Tables of tracked runs, experiments, logged and registered models. Times are milliseconds. */
import type { RowsOf, TableSpecs } from '../../runtime/ports/query-store.ts';

export const tables = {
  experiments: {
    columns: {
      id: 'text',
      name: 'text',
      artifact_location: 'text',
      lifecycle: 'text',
      created_ms: 'integer',
      updated_ms: 'integer',
    },
    key: ['id'],
    indexes: [['name']],
  },
  experiment_tags: { columns: { experiment_id: 'text', key: 'text', value: 'text' }, key: ['experiment_id', 'key'] },
  runs: {
    columns: {
      id: 'text',
      experiment_id: 'text',
      name: 'text',
      user_id: 'text',
      status: 'text',
      start_ms: 'integer',
      end_ms: 'integer?',
      lifecycle: 'text',
      artifact_uri: 'text',
      /** Whose run it is; empty: a client says how it goes. */
      flow: 'text',
    },
    key: ['id'],
    indexes: [['experiment_id', 'lifecycle', '-start_ms']],
  },
  params: { columns: { run_id: 'text', key: 'text', value: 'text' }, key: ['run_id', 'key'] },
  tags: { columns: { run_id: 'text', key: 'text', value: 'text' }, key: ['run_id', 'key'] },
  /** The same point twice is one. */
  metric_points: {
    columns: {
      run_id: 'text',
      key: 'text',
      timestamp: 'integer',
      step: 'integer',
      value: 'real',
      is_nan: 'integer',
    },
    key: ['run_id', 'key', 'timestamp', 'step', 'value', 'is_nan'],
  },
  latest_metrics: {
    columns: {
      run_id: 'text',
      key: 'text',
      experiment_id: 'text',
      value: 'real',
      is_nan: 'integer',
      timestamp: 'integer',
      step: 'integer',
    },
    key: ['run_id', 'key'],
    indexes: [['experiment_id', 'key', 'value']],
    newestBy: ['step', 'timestamp', 'value'],
  },
  datasets: {
    columns: {
      run_id: 'text',
      name: 'text',
      digest: 'text',
      source_type: 'text',
      source: 'text',
      schema: 'text?',
      profile: 'text?',
      /** `mlflow.data.context` of the tags. */
      context: 'text',
      /** JSON, a name-to-text object. */
      tags: 'text',
    },
    key: ['run_id', 'name', 'digest'],
  },
  /** Logged models that a run has read (`input`) or made (`output`). */
  run_models: {
    columns: { run_id: 'text', direction: 'text', model_id: 'text', step: 'integer' },
    key: ['run_id', 'direction', 'model_id'],
  },
  artifacts: {
    columns: { owner_id: 'text', path: 'text', hash: 'text', size_bytes: 'integer' },
    key: ['owner_id', 'path'],
  },
  logged_models: {
    columns: {
      id: 'text',
      experiment_id: 'text',
      name: 'text',
      model_type: 'text',
      source_run_id: 'text',
      artifact_uri: 'text',
      status: 'text',
      lifecycle: 'text',
      created_ms: 'integer',
      updated_ms: 'integer',
    },
    key: ['id'],
    indexes: [['experiment_id', '-created_ms']],
  },
  logged_model_tags: { columns: { model_id: 'text', key: 'text', value: 'text' }, key: ['model_id', 'key'] },
  logged_model_params: { columns: { model_id: 'text', key: 'text', value: 'text' }, key: ['model_id', 'key'] },
  logged_model_metrics: {
    columns: {
      model_id: 'text',
      key: 'text',
      dataset_name: 'text',
      dataset_digest: 'text',
      run_id: 'text',
      value: 'real',
      is_nan: 'integer',
      timestamp: 'integer',
      step: 'integer',
    },
    key: ['model_id', 'key', 'dataset_name', 'dataset_digest', 'run_id'],
    newestBy: ['step', 'timestamp', 'value'],
  },
  registered_models: {
    columns: { name: 'text', description: 'text', created_ms: 'integer', updated_ms: 'integer' },
    key: ['name'],
  },
  registered_model_tags: { columns: { name: 'text', key: 'text', value: 'text' }, key: ['name', 'key'] },
  model_versions: {
    columns: {
      name: 'text',
      version: 'integer',
      created_ms: 'integer',
      updated_ms: 'integer',
      user_id: 'text',
      stage: 'text',
      description: 'text',
      source: 'text',
      run_id: 'text',
      run_link: 'text',
      model_id: 'text',
      artifact_hash: 'text',
      artifact_codec: 'text',
    },
    key: ['name', 'version'],
    indexes: [['run_id']],
  },
  model_version_tags: {
    columns: { name: 'text', version: 'integer', key: 'text', value: 'text' },
    key: ['name', 'version', 'key'],
  },
  /** Every move of an alias or stage, with who made it. */
  registry_moves: {
    columns: {
      name: 'text',
      /** `alias` or `stage`. */
      kind: 'text',
      /** The alias, or the stage. */
      label: 'text',
      version: 'integer',
      /** 1: the version lost the alias. */
      removed: 'integer',
      at_ms: 'integer',
      actor: 'text',
      request_id: 'text',
    },
    key: ['name', 'at_ms', 'request_id', 'kind', 'label', 'version'],
  },
  /** What must hold before an alias moves, JSON. */
  alias_rules: { columns: { name: 'text', alias: 'text', rule: 'text', actor: 'text' }, key: ['name', 'alias'] },
  /** Moves that wait for a second person. */
  alias_proposals: {
    columns: { name: 'text', alias: 'text', version: 'integer', actor: 'text', at_ms: 'integer' },
    key: ['name', 'alias'],
  },
  aliases: { columns: { name: 'text', alias: 'text', version: 'integer' }, key: ['name', 'alias'] },
} as const satisfies TableSpecs;

export type TrackingTables = typeof tables;
export type TrackingRows = RowsOf<TrackingTables>;
