/**
 * The query store's tables: where each fact lies on the log, and the columns by which people look for it. The facts themselves are
 * read from the log, so they can be checked. Everything here is derived; raising `version` fills it again.
 */
interface At {
  topic: string;
  partition: number;
  offset: number;
}

export interface ProvenanceTables {
  positions: { topic: string; partition: number; position: number };
  triggers: At & {
    id: string;
    name: string;
    outcome: string;
    source_topic: string | null;
    source_partition: number | null;
    source_offset: number | null;
  };
  runs: At & {
    id: string;
    flow: string;
    version: number;
    status: string;
    bundle_hash: string;
    cause_kind: string;
    cause_id: string;
    actor: string;
    requested_at: number;
    ended_at: number | null;
    failure: string | null;
  };
  tasks: At & {
    run_id: string;
    task_id: string;
    status: string;
    attempt: number;
    worker: string;
    started_at: number | null;
    ended_at: number | null;
    message: string | null;
    logs_hash: string | null;
  };
  artifacts: At & {
    run_id: string;
    task_id: string;
    step: string;
    name: string;
    hash: string;
    size_bytes: number;
    codec: string;
  };
  versions: At & {
    model: string;
    version: number;
    run_id: string | null;
    task_id: string | null;
    artifact_hash: string;
    metrics: string;
    actor: string;
    registered_at: number;
  };
  aliases: At & { model: string; alias: string; version: number; actor: string; set_at: number };
  flows: At & { flow: string; version: number; bundle_hash: string; actor: string; deployed_at: number };
  deployments: At & { deployment: string; version: number; document: string; actor: string; applied_at: number };
  predictions: {
    id: string;
    partition: number;
    offset: number;
    deployment: string;
    route: string;
    status: string;
    time_ms: number;
  };
  feedback: At & { id: string; prediction_id: string; kind: string };
  findings: At & { id: string; deployment: string; kind: string; positive: number; time_ms: number; summary: string };
  outlier_rows: { prediction_id: string; window_id: string; score: number };
  operations: At & { id: string; action: string; object: string; actor: string; outcome: string; time_ms: number };
}

export const version = 1;

const at = 'topic TEXT NOT NULL, partition INTEGER NOT NULL, "offset" INTEGER NOT NULL';

export const schema: readonly string[] = [
  'CREATE TABLE positions (topic TEXT NOT NULL, partition INTEGER NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (topic, partition)) WITHOUT ROWID',
  `CREATE TABLE triggers (id TEXT PRIMARY KEY, name TEXT NOT NULL, outcome TEXT NOT NULL, source_topic TEXT, source_partition INTEGER, source_offset INTEGER, ${at}) WITHOUT ROWID`,
  `CREATE TABLE runs (id TEXT PRIMARY KEY, flow TEXT NOT NULL, version INTEGER NOT NULL, status TEXT NOT NULL, bundle_hash TEXT NOT NULL, cause_kind TEXT NOT NULL,
     cause_id TEXT NOT NULL, actor TEXT NOT NULL, requested_at INTEGER NOT NULL, ended_at INTEGER, failure TEXT, ${at}) WITHOUT ROWID`,
  'CREATE INDEX runs_newest ON runs (requested_at)',
  `CREATE TABLE tasks (run_id TEXT NOT NULL, task_id TEXT NOT NULL, status TEXT NOT NULL, attempt INTEGER NOT NULL, worker TEXT NOT NULL, started_at INTEGER, ended_at INTEGER,
     message TEXT, logs_hash TEXT, ${at}, PRIMARY KEY (run_id, task_id)) WITHOUT ROWID`,
  `CREATE TABLE artifacts (run_id TEXT NOT NULL, task_id TEXT NOT NULL, step TEXT NOT NULL, name TEXT NOT NULL, hash TEXT NOT NULL, size_bytes INTEGER NOT NULL, codec TEXT NOT NULL,
     ${at}, PRIMARY KEY (run_id, task_id, name)) WITHOUT ROWID`,
  'CREATE INDEX artifacts_by_hash ON artifacts (hash)',
  `CREATE TABLE versions (model TEXT NOT NULL, version INTEGER NOT NULL, run_id TEXT, task_id TEXT, artifact_hash TEXT NOT NULL, metrics TEXT NOT NULL, actor TEXT NOT NULL,
     registered_at INTEGER NOT NULL, ${at}, PRIMARY KEY (model, version)) WITHOUT ROWID`,
  `CREATE TABLE aliases (model TEXT NOT NULL, alias TEXT NOT NULL, version INTEGER NOT NULL, actor TEXT NOT NULL, set_at INTEGER NOT NULL, ${at}, PRIMARY KEY (model, alias)) WITHOUT ROWID`,
  `CREATE TABLE flows (flow TEXT NOT NULL, version INTEGER NOT NULL, bundle_hash TEXT NOT NULL, actor TEXT NOT NULL, deployed_at INTEGER NOT NULL, ${at}, PRIMARY KEY (flow, version)) WITHOUT ROWID`,
  `CREATE TABLE deployments (deployment TEXT NOT NULL, version INTEGER NOT NULL, document TEXT NOT NULL, actor TEXT NOT NULL, applied_at INTEGER NOT NULL, ${at},
     PRIMARY KEY (deployment, version)) WITHOUT ROWID`,
  `CREATE TABLE predictions (id TEXT PRIMARY KEY, partition INTEGER NOT NULL, "offset" INTEGER NOT NULL, deployment TEXT NOT NULL, route TEXT NOT NULL, status TEXT NOT NULL,
     time_ms INTEGER NOT NULL) WITHOUT ROWID`,
  `CREATE TABLE feedback (id TEXT NOT NULL, prediction_id TEXT NOT NULL, kind TEXT NOT NULL, ${at}, PRIMARY KEY (id, kind)) WITHOUT ROWID`,
  'CREATE INDEX feedback_by_prediction ON feedback (prediction_id)',
  `CREATE TABLE findings (id TEXT NOT NULL, deployment TEXT NOT NULL, kind TEXT NOT NULL, positive INTEGER NOT NULL, time_ms INTEGER NOT NULL, summary TEXT NOT NULL, ${at},
     PRIMARY KEY (kind, id)) WITHOUT ROWID`,
  'CREATE TABLE outlier_rows (prediction_id TEXT NOT NULL, window_id TEXT NOT NULL, score REAL NOT NULL, PRIMARY KEY (prediction_id, window_id)) WITHOUT ROWID',
  `CREATE TABLE operations (id TEXT PRIMARY KEY, action TEXT NOT NULL, object TEXT NOT NULL, actor TEXT NOT NULL, outcome TEXT NOT NULL, time_ms INTEGER NOT NULL, ${at}) WITHOUT ROWID`,
  'CREATE INDEX operations_newest ON operations (time_ms)',
];
