/**
 * The query store's tables: where each fact lies on the log, and the columns by which people look for it. The facts themselves are
 * read from the log, so they can be checked.
 */
import type { TableSpecs } from '../../runtime/ports/query-store.ts';

/** Where the fact lies; `topic` is the catalogue name. */
const at = { topic: 'text', partition: 'integer', offset: 'integer' } as const;

export const tables = {
  triggers: {
    columns: {
      id: 'text',
      /** By which its publisher calls it, when that is another one. */
      given_id: 'text?',
      name: 'text',
      outcome: 'text',
      source_topic: 'text?',
      source_partition: 'integer?',
      source_offset: 'integer?',
      /** JSON: each trigger that waits for the name, and whether it takes the event. */
      considered: 'text',
      time_ms: 'integer',
      ...at,
    },
    /** One id may come more than once. */
    key: ['id', 'partition', 'offset'],
    indexes: [['given_id']],
  },
  /** The last outcome of each event for each trigger. */
  event_outcomes: {
    columns: {
      event_id: 'text',
      flow: 'text',
      trigger: 'text',
      key: 'text',
      name: 'text',
      version: 'integer',
      outcome: 'text',
      reason: 'text',
      run_id: 'text?',
      /** JSON lists. */
      joined_with: 'text',
      missing: 'text',
      until_ms: 'integer?',
      time_ms: 'integer',
      ...at,
    },
    key: ['event_id', 'flow', 'trigger'],
    indexes: [['flow', 'outcome'], ['outcome']],
  },
  slots: {
    columns: {
      flow: 'text',
      schedule: 'text',
      first_ms: 'integer',
      last_ms: 'integer',
      count: 'integer',
      /** Request of a backfill; '' for a slot that was due. */
      backfill: 'text',
      outcome: 'text',
      reason: 'text',
      run_id: 'text?',
      time_ms: 'integer',
      ...at,
    },
    key: ['flow', 'schedule', 'first_ms', 'backfill'],
    indexes: [['flow', '-first_ms'], ['outcome']],
  },
  /** Starts by people that wait for an open run to end. */
  waiting_starts: {
    columns: { flow: 'text', request_id: 'text', cause_kind: 'text', reason: 'text', time_ms: 'integer', ...at },
    key: ['flow', 'request_id'],
  },
  /** What people did to flows. */
  flow_actions: {
    columns: {
      flow: 'text',
      action: 'text',
      version: 'integer?',
      actor: 'text',
      /** JSON. */
      detail: 'text',
      time_ms: 'integer',
      ...at,
    },
    key: ['flow', 'partition', 'offset'],
  },
  runs: {
    columns: {
      id: 'text',
      flow: 'text',
      version: 'integer',
      status: 'text',
      bundle_hash: 'text',
      cause_kind: 'text',
      cause_id: 'text',
      actor: 'text',
      requested_at: 'integer',
      ended_at: 'integer?',
      failure: 'text?',
      /** JSON. */
      parameters: 'text',
      /** How long after its end it can be resumed. */
      resumable_ms: 'integer',
      /** The run that it resumes; its own id: it was resumed in place. */
      origin_run_id: 'text?',
      ...at,
    },
    key: ['id'],
    indexes: [
      ['-requested_at'],
      ['flow', '-requested_at'],
      ['status', '-requested_at'],
      ['flow', 'status', '-requested_at'],
      ['cause_id'],
    ],
  },
  /** By what runs are found: user and system tags, and parameters with their values as JSON. */
  run_labels: {
    columns: {
      run_id: 'text',
      /** `tag`, `system` or `parameter`. */
      kind: 'text',
      name: 'text',
      value: 'text',
      requested_at: 'integer',
    },
    key: ['run_id', 'kind', 'name'],
    indexes: [['kind', 'name', 'value', '-requested_at']],
  },
  tasks: {
    columns: {
      run_id: 'text',
      task_id: 'text',
      step: 'text',
      status: 'text',
      attempt: 'integer',
      dispatch: 'integer',
      /** 1 once its outcome was said, which no later word of a worker changes. */
      closed: 'integer',
      worker: 'text',
      started_at: 'integer?',
      ended_at: 'integer?',
      /** Nobody has taken it: since when it is offered, and to workers of which compute class. */
      waits_since: 'integer?',
      compute: 'text?',
      message: 'text?',
      logs_hash: 'text?',
      /** The run and task whose outcome it took over. */
      origin_run_id: 'text?',
      origin_task_id: 'text?',
      ...at,
    },
    key: ['run_id', 'task_id'],
    /** A run that is resumed in place goes on with the next attempt. */
    newestBy: ['attempt', 'closed', 'dispatch'],
  },
  /** Each dispatch that a worker began, whatever became of it. */
  attempts: {
    columns: {
      run_id: 'text',
      task_id: 'text',
      dispatch: 'integer',
      incarnation: 'text',
      attempt: 'integer',
      worker: 'text',
      /** running, completed or the kind of failure. */
      status: 'text',
      /** 0 while it runs; 1: its worker came back and took it for lost; 2: it said itself how it ended, which 1 does not change. */
      ended: 'integer',
      message: 'text?',
      started_at: 'integer?',
      ended_at: 'integer?',
      logs_hash: 'text?',
      /** JSON: hash by name. */
      cards: 'text',
      work_partition: 'integer?',
      work_offset: 'integer?',
    },
    key: ['run_id', 'task_id', 'dispatch', 'incarnation'],
    newestBy: ['ended'],
  },
  /** Where lines lie that a step wrote while it ran. */
  task_lines: {
    columns: {
      run_id: 'text',
      task_id: 'text',
      dispatch: 'integer',
      incarnation: 'text',
      first_line: 'integer',
      lines: 'integer',
      partition: 'integer',
      offset: 'integer',
    },
    key: ['run_id', 'task_id', 'dispatch', 'incarnation', 'first_line', 'lines'],
  },
  /** Cards of steps as they were last heard. */
  task_cards: {
    columns: {
      run_id: 'text',
      task_id: 'text',
      dispatch: 'integer',
      incarnation: 'text',
      card: 'text',
      hash: 'text',
      update_number: 'integer',
    },
    key: ['run_id', 'task_id', 'dispatch', 'incarnation', 'card'],
    newestBy: ['update_number'],
  },
  artifacts: {
    columns: {
      run_id: 'text',
      task_id: 'text',
      step: 'text',
      name: 'text',
      hash: 'text',
      size_bytes: 'integer',
      codec: 'text',
      /** The bytes of a small one, which lie in no blob: base64. */
      inline: 'text?',
      /** Of short JSON: the text, so that it can be looked for. */
      value: 'text?',
      /** The run whose task wrote it, when this run took it over. */
      origin_run_id: 'text?',
      written_at: 'integer',
      ...at,
    },
    key: ['run_id', 'task_id', 'name'],
    indexes: [['hash'], ['name', 'value', '-written_at'], ['-written_at']],
  },
  /** The newest of each name; of a task that ended well only what it keeps is of use. */
  checkpoints: {
    columns: {
      run_id: 'text',
      task_id: 'text',
      name: 'text',
      attempt: 'integer',
      hash: 'text',
      size_bytes: 'integer',
      codec: 'text',
      /** The bytes of a small one, which lie in no blob: base64. */
      inline: 'text?',
      /** 1: it stays when its task has ended well. */
      kept: 'integer',
      written_at: 'integer',
      ...at,
    },
    key: ['run_id', 'task_id', 'name'],
    indexes: [['hash']],
  },
  versions: {
    columns: {
      model: 'text',
      version: 'integer',
      run_id: 'text?',
      task_id: 'text?',
      artifact_hash: 'text',
      metrics: 'text',
      actor: 'text',
      registered_at: 'integer',
      ...at,
    },
    key: ['model', 'version'],
    indexes: [['run_id'], ['artifact_hash']],
  },
  aliases: {
    columns: { model: 'text', alias: 'text', version: 'integer', actor: 'text', set_at: 'integer', ...at },
    key: ['model', 'alias'],
  },
  flows: {
    columns: { flow: 'text', version: 'integer', bundle_hash: 'text', actor: 'text', deployed_at: 'integer', ...at },
    key: ['flow', 'version'],
    indexes: [['bundle_hash']],
  },
  deployments: {
    columns: { deployment: 'text', version: 'integer', document: 'text', actor: 'text', applied_at: 'integer', ...at },
    key: ['deployment', 'version'],
  },
  removals: {
    columns: { deployment: 'text', version: 'integer', actor: 'text', removed_at: 'integer', ...at },
    key: ['deployment', 'version'],
  },
  /** Versions of route weights that a bandit or a rollout decided. */
  weights: {
    columns: { deployment: 'text', weights_version: 'integer', time_ms: 'integer', ...at },
    key: ['deployment', 'weights_version'],
  },
  /** Mirrored requests of a prediction. */
  shadow_answers: {
    columns: { prediction_id: 'text', shadow: 'text', outcome: 'text', ...at },
    key: ['prediction_id', 'shadow'],
  },
  /** How many mirrored requests there were. */
  shadow_traffic: {
    columns: { deployment: 'text', version: 'integer', shadow: 'text', outcome: 'text', answers: 'integer' },
    key: ['deployment', 'version', 'shadow', 'outcome'],
    sums: ['answers'],
  },
  /** Which model versions a deployment names. */
  routes: {
    columns: { deployment: 'text', version: 'integer', route: 'text', model: 'text', model_version: 'integer' },
    key: ['deployment', 'version', 'route', 'model', 'model_version'],
    indexes: [['model', 'model_version']],
  },
  predictions: {
    columns: {
      id: 'text',
      partition: 'integer',
      offset: 'integer',
      deployment: 'text',
      route: 'text',
      status: 'text',
      time_ms: 'integer',
    },
    key: ['id'],
  },
  /** The newest predictions, as people search them: see `request-log/rows.ts`. */
  requests: {
    columns: {
      partition: 'integer',
      slot: 'integer',
      prediction_id: 'text',
      /** Of `request_kinds`. */
      kind: 'text',
      entity: 'text',
      received_ms: 'integer',
      /** When what it is about happened, as the request says. */
      event_ms: 'integer?',
      latency_ms: 'integer',
      queue_ms: 'real?',
      run_ms: 'real?',
      rows: 'integer',
      /** JSON: rows of numbers. */
      cells: 'text?',
    },
    key: ['partition', 'slot'],
    indexes: [
      ['kind', '-received_ms'],
      ['entity', '-received_ms'],
    ],
  },
  /** The newest windows of quality metrics of each partition of `quality`. */
  quality_windows: {
    columns: {
      fact_partition: 'integer',
      slot: 'integer',
      deployment: 'text',
      version: 'integer',
      route: 'text',
      model: 'text',
      model_version: 'integer',
      segment: 'text',
      to_ms: 'integer',
      /** JSON of the event. */
      data: 'text',
    },
    key: ['fact_partition', 'slot'],
    indexes: [
      ['deployment', 'version', 'route', 'model', 'model_version', 'segment', '-to_ms'],
      ['deployment', '-to_ms'],
    ],
  },
  /** Rewards that functions of deployments did not make, by what went wrong; with the newest one. */
  reward_failures: {
    columns: {
      deployment: 'text',
      code: 'text',
      failures: 'integer',
      reason: 'text',
      prediction_id: 'text',
      route: 'text',
      at_ms: 'integer',
    },
    key: ['deployment', 'code'],
    sums: ['failures'],
  },
  /** The newest requests to webhooks. */
  deliveries: {
    columns: {
      /** Of the fact on `webhook-deliveries`, which holds several. */
      fact_partition: 'integer',
      slot: 'integer',
      place: 'integer',
      fact_offset: 'integer',
      webhook: 'text',
      origin: 'text',
      delivery_id: 'text',
      outcome: 'text',
      /** JSON of the attempt. */
      data: 'text',
    },
    key: ['fact_partition', 'slot', 'place'],
    indexes: [['webhook', '-fact_offset'], ['delivery_id']],
  },
  /** How far each webhook has come. */
  webhook_positions: {
    columns: { webhook: 'text', origin: 'text', positions: 'text' },
    key: ['webhook', 'origin'],
  },
  /** Feature statistics: see `feature-statistics/rows.ts`. */
  feature_windows: {
    columns: {
      deployment: 'text',
      version: 'integer',
      version_slot: 'integer',
      slot: 'integer',
      start_ms: 'integer',
      end_ms: 'integer',
      rows: 'integer',
      predictions: 'integer',
      late_rows: 'integer',
      /** JSON. */
      columns: 'text',
    },
    key: ['deployment', 'version_slot', 'slot'],
    indexes: [['deployment', '-start_ms']],
  },
  /** What predictions have in common. */
  request_kinds: {
    columns: {
      id: 'text',
      deployment: 'text',
      version: 'integer',
      route: 'text',
      model: 'text',
      model_version: 'integer',
      /** `completed`, or the code of the failure. */
      outcome: 'text',
      /** JSON: what the numbers of `requests.cells` are called. */
      cells: 'text',
    },
    key: ['id'],
    indexes: [['deployment']],
  },
  /** How many predictions there were: counting millions of rows takes seconds. `version` is 0 for those that failed. */
  traffic: {
    columns: {
      deployment: 'text',
      version: 'integer',
      route: 'text',
      status: 'text',
      predictions: 'integer',
      newest: 'text',
    },
    key: ['deployment', 'version', 'route', 'status'],
    sums: ['predictions'],
  },
  feedback: {
    // row -1: the feedback named none
    columns: { id: 'text', row: 'integer', prediction_id: 'text', kind: 'text', ...at },
    key: ['id', 'row', 'kind'],
    indexes: [['prediction_id', 'row']],
  },
  /** Why predictions came out as they did. */
  attributions: {
    columns: {
      id: 'text',
      prediction_id: 'text',
      deployment: 'text',
      method: 'text',
      outcome: 'text',
      time_ms: 'integer',
      partition: 'integer',
      offset: 'integer',
    },
    key: ['id'],
    indexes: [['prediction_id'], ['deployment', 'time_ms']],
  },
  findings: {
    columns: {
      id: 'text',
      deployment: 'text',
      deployment_version: 'integer',
      kind: 'text',
      positive: 'integer',
      time_ms: 'integer',
      summary: 'text',
      /** Of an alert: the finding that it rests on. */
      evidence_id: 'text?',
      alert_id: 'text?',
      ...at,
    },
    key: ['kind', 'id'],
    indexes: [['id'], ['alert_id'], ['evidence_id'], ['-time_ms'], ['deployment', '-time_ms']],
  },
  outlier_rows: {
    columns: { prediction_id: 'text', window_id: 'text', score: 'real' },
    key: ['prediction_id', 'window_id'],
  },
  operations: {
    columns: {
      id: 'text',
      action: 'text',
      object: 'text',
      actor: 'text',
      outcome: 'text',
      /** Of what it asked for. */
      request_id: 'text',
      time_ms: 'integer',
      ...at,
    },
    key: ['id'],
    indexes: [['-time_ms'], ['object', '-time_ms'], ['request_id']],
  },
} as const satisfies TableSpecs;

export type ProvenanceTables = typeof tables;
