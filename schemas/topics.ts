/**
 * The catalogue: every topic of the platform, as data. A topic is here when something writes it and something reads it.
 *
 * - `open`: outsiders may write it; nothing they claim in control headers is believed. `closed`: only the platform writes it, so its
 *   records carry stamps and ticks and may feed folds.
 * - Real name = prefix + catalogue name. Event names: `ce_type` is `millrace.<topic>.<event>.v1`, the Avro record is
 *   `millrace.<topic_with_underscores>.<EventInPascalCase>`, its file is `schemas/events/<topic>/<event>.avsc`.
 */
export interface TopicEntry {
  readonly access: 'open' | 'closed';
  /** What the record key holds. */
  readonly key: string;
  readonly says: string;
  readonly events: readonly string[];
  readonly partitions: number;
  readonly cleanup: 'delete' | 'compact';
  /** Milliseconds; undefined: never by itself. */
  readonly retentionMs?: number;
  /** `read`: the platform deletes what every reader has behind it (`services/log-keeper`); undefined: it is kept for ever. */
  readonly deleted?: 'read';
  readonly writtenBy: readonly string[];
  readonly readBy: readonly string[];
}

const daysMs = (days: number): number => days * 86_400_000;

export const topics = {
  triggers: {
    access: 'open',
    key: 'subject',
    says: 'something happened upstream',
    events: ['triggered'],
    partitions: 3,
    cleanup: 'delete',
    retentionMs: daysMs(7),
    writtenBy: ['anyone allowed', 'gateway'],
    readBy: ['trigger-matcher'],
  },
  starts: {
    access: 'closed',
    key: 'flow',
    says: 'flow versions, events, slots and ends of runs that concern a flow, and what became of them',
    events: [
      'flow-deploy-requested',
      'flow-deployed',
      'flow-control-requested',
      'flow-controlled',
      'flow-continued',
      'start-requested',
      'start-queued',
      'start-skipped',
      'start-refused',
      'event-arrived',
      'event-judged',
      'slots-due',
      'slots-judged',
      'backfill-requested',
      'backfill-accepted',
      'finish-subscribed',
      'run-ended',
    ],
    partitions: 3,
    cleanup: 'delete',
    writtenBy: ['gateway', 'trigger-matcher', 'scheduler', 'run-ends', 'flow-starts'],
    readBy: ['flow-starts', 'scheduler', 'provenance'],
  },
  runs: {
    access: 'closed',
    key: 'run id',
    says: 'runs and what became of their tasks',
    events: [
      'run-requested',
      'task-started',
      'task-heartbeat',
      'task-completed',
      'task-failed',
      'task-retried',
      'task-closed',
      'completion-refused',
      'run-cancel-requested',
      'run-completed',
      'run-failed',
      'run-cancelled',
      'walk-resumed',
      'phase-lapsed',
      'run-swept',
      'run-forgotten',
      'run-tags-requested',
      'run-tags-changed',
      'run-tags-refused',
      'task-recalled',
    ],
    partitions: 6,
    cleanup: 'delete',
    deleted: 'read',
    writtenBy: ['flow-starts', 'gateway', 'step-worker', 'run-progress'],
    readBy: ['run-progress', 'run-ends', 'provenance'],
  },
  tasks: {
    access: 'closed',
    key: 'task, dispatch',
    says: 'work for step workers',
    events: ['task-dispatched'],
    partitions: 6,
    cleanup: 'delete',
    retentionMs: daysMs(7),
    writtenBy: ['run-progress'],
    readBy: ['step-worker'],
  },
  'task-control': {
    access: 'closed',
    key: 'task',
    says: 'what workers must stop, and gangs that may begin',
    events: ['task-revoked', 'gang-assembled'],
    partitions: 1,
    cleanup: 'delete',
    retentionMs: daysMs(7),
    writtenBy: ['run-progress'],
    readBy: ['step-worker'],
  },
  'task-output': {
    access: 'closed',
    key: 'run id',
    says: 'what running steps write: lines of their logs, cards',
    events: ['output-written', 'card-updated'],
    partitions: 3,
    cleanup: 'delete',
    retentionMs: daysMs(7),
    writtenBy: ['step-worker'],
    readBy: ['provenance', 'gateway'],
  },
  artifacts: {
    access: 'closed',
    key: 'run id',
    says: 'artifacts of accepted tasks',
    events: ['artifact-written'],
    partitions: 3,
    cleanup: 'delete',
    deleted: 'read',
    writtenBy: ['run-progress'],
    readBy: ['provenance'],
  },
  registry: {
    access: 'closed',
    key: 'model',
    says: 'requests and facts of models, versions and aliases',
    events: ['version-requested', 'alias-requested', 'version-registered', 'alias-set', 'registry-refused'],
    partitions: 3,
    cleanup: 'delete',
    writtenBy: ['gateway', 'run-progress', 'registry'],
    readBy: ['registry', 'provenance'],
  },
  'deployment-events': {
    access: 'closed',
    key: 'deployment',
    says: 'requests and facts of deployments',
    events: [
      'deploy-requested',
      'removal-requested',
      'deployment-applied',
      'deployment-removed',
      'deployment-refused',
      'weights-changed',
      'rollout-moved',
      'rollout-refused',
    ],
    partitions: 3,
    cleanup: 'delete',
    writtenBy: ['gateway', 'deployments', 'route-weights'],
    readBy: ['deployments', 'provenance'],
  },
  flows: {
    access: 'closed',
    key: 'flow',
    says: 'current version of each flow',
    events: ['flow-row'],
    partitions: 1,
    cleanup: 'compact',
    writtenBy: ['flow-starts'],
    readBy: ['trigger-matcher', 'gateway'],
  },
  models: {
    access: 'closed',
    key: 'model/version',
    says: 'current row of each model version',
    events: ['model-version-row'],
    partitions: 1,
    cleanup: 'compact',
    writtenBy: ['registry'],
    readBy: ['gateway'],
  },
  deployments: {
    access: 'closed',
    key: 'deployment',
    says: 'current version of each deployment',
    events: ['deployment-row'],
    partitions: 1,
    cleanup: 'compact',
    writtenBy: ['deployments'],
    readBy: ['model-server', 'gateway', 'scorer'],
  },
  routers: {
    access: 'closed',
    key: 'deployment',
    says: 'how the routes of a deployment share its traffic now, where a bandit or a rollout decides',
    events: ['router-row'],
    partitions: 1,
    cleanup: 'compact',
    writtenBy: ['route-weights'],
    readBy: ['model-server', 'gateway'],
  },
  'route-evidence': {
    access: 'closed',
    key: 'deployment',
    says: 'what decides the weights of routes: settings, outcomes, rewards, drift, and what people ask of a rollout',
    events: [
      'traffic-configured',
      'outcomes-observed',
      'reward-observed',
      'drift-observed',
      'rollout-control-requested',
    ],
    partitions: 3,
    cleanup: 'delete',
    deleted: 'read',
    writtenBy: ['deployments', 'route-outcomes', 'feedback-rewards', 'drift-alerts', 'gateway'],
    readBy: ['route-weights'],
  },
  'prediction-requests': {
    access: 'open',
    key: "user's entity",
    says: 'please predict',
    events: ['prediction-requested'],
    partitions: 6,
    cleanup: 'delete',
    retentionMs: daysMs(7),
    writtenBy: ['anyone allowed'],
    readBy: ['model-server'],
  },
  predictions: {
    access: 'closed',
    key: "user's entity",
    says: 'predictions made and failed, answers of shadows, feedback received',
    events: [
      'prediction-completed',
      'prediction-failed',
      'prediction-conflicted',
      'shadow-answered',
      'feedback-received',
    ],
    partitions: 6,
    cleanup: 'delete',
    deleted: 'read',
    writtenBy: ['model-server', 'feedback-admission', 'feedback-rewards'],
    readBy: ['feedback-rewards', 'prediction-sampling', 'route-outcomes', 'provenance', 'applications'],
  },
  feedback: {
    access: 'open',
    key: "user's entity",
    says: 'the truth, or a reward, for a prediction',
    events: ['feedback-given'],
    partitions: 3,
    cleanup: 'delete',
    retentionMs: daysMs(7),
    writtenBy: ['anyone allowed', 'gateway'],
    readBy: ['feedback-admission'],
  },
  observations: {
    access: 'closed',
    key: 'deployment',
    says: 'feature and output rows, and complete windows of them',
    events: ['observations-sampled', 'window-closed'],
    partitions: 3,
    cleanup: 'delete',
    deleted: 'read',
    writtenBy: ['prediction-sampling', 'observation-windows'],
    readBy: ['observation-windows', 'scorer'],
  },
  drift: {
    access: 'closed',
    key: 'deployment',
    says: 'drift verdicts',
    events: ['drift-assessed', 'drift-not-assessed'],
    partitions: 3,
    cleanup: 'delete',
    deleted: 'read',
    writtenBy: ['scorer'],
    readBy: ['drift-alerts', 'monitoring-metrics', 'provenance', 'subscribers'],
  },
  outliers: {
    access: 'closed',
    key: 'deployment',
    says: 'outlying rows',
    events: ['outliers-assessed'],
    partitions: 3,
    cleanup: 'delete',
    deleted: 'read',
    writtenBy: ['scorer'],
    readBy: ['monitoring-metrics', 'provenance', 'subscribers'],
  },
  rewards: {
    access: 'closed',
    key: 'deployment',
    says: 'rewards and errors by prediction, experiments assessed',
    events: ['reward-recorded', 'feedback-closed', 'experiment-assessed'],
    partitions: 3,
    cleanup: 'delete',
    deleted: 'read',
    writtenBy: ['feedback-rewards', 'experiments'],
    readBy: ['experiments', 'monitoring-metrics', 'provenance', 'subscribers'],
  },
  alerts: {
    access: 'closed',
    key: 'deployment',
    says: 'what needs attention',
    events: ['alert-raised', 'alert-cleared'],
    partitions: 3,
    cleanup: 'delete',
    retentionMs: daysMs(90),
    writtenBy: ['drift-alerts'],
    readBy: ['monitoring-metrics', 'provenance', 'subscribers'],
  },
  operations: {
    access: 'closed',
    key: 'object',
    says: 'who asked for what: every mutating call, refusal, replay, gap',
    events: ['operation-recorded', 'trigger-handled', 'feedback-refused', 'gap-detected'],
    partitions: 3,
    cleanup: 'delete',
    deleted: 'read',
    writtenBy: ['all services', 'engine'],
    readBy: ['audit-trail', 'provenance'],
  },
  audit: {
    access: 'closed',
    key: 'source partition',
    says: 'hash chains over the audited topics',
    events: ['audit-linked'],
    partitions: 3,
    cleanup: 'delete',
    writtenBy: ['audit-trail'],
    readBy: ['audit verify', 'subscribers'],
  },
  'dead-letters': {
    access: 'closed',
    key: "the record's own key",
    says: 'original bytes of what could not be processed',
    events: [],
    partitions: 1,
    cleanup: 'delete',
    retentionMs: daysMs(30),
    writtenBy: ['engine'],
    readBy: ['dead-letters list', 'dead-letters replay'],
  },
  snapshots: {
    access: 'closed',
    key: 'task@branch.position',
    says: 'where the newest snapshots of each task lie, and how far projections have read',
    events: ['snapshot-taken', 'position-reported'],
    partitions: 1,
    cleanup: 'compact',
    writtenBy: ['engine', 'provenance'],
    readBy: ['engine', 'log-keeper'],
  },
} as const satisfies Record<string, TopicEntry>;

export type TopicName = keyof typeof topics;

export const topicNames = Object.keys(topics) as readonly TopicName[];

export function isTopicName(name: string): name is TopicName {
  return Object.hasOwn(topics, name);
}

/** Largest record that any topic takes, bytes; bigger values travel as a claim on a blob. */
export const recordBytesMax = 1_000_000;

/** A value over this many bytes is put into the blob store and the record carries the claim. */
export const claimCheckBytes = 256 * 1024;

/** Audited topics: one instance of `audit-trail` each. */
export const auditedTopics = [
  'operations',
  'starts',
  'runs',
  'registry',
  'deployment-events',
  'predictions',
] as const satisfies readonly TopicName[];
