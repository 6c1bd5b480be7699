import type { FollowedEvent } from '../../runtime/engine/runtime.ts';
import type { EventTopic } from '../../schemas/events.ts';
import type { ProvenanceTables } from './tables.ts';

/** A change of one row: insert it, or (same key) set the given columns. */
export type RowChange = {
  [T in keyof ProvenanceTables]: {
    readonly table: T;
    readonly row: ProvenanceTables[T];
    /** Columns to overwrite when the key is there; none: the first one stays. */
    readonly update?: readonly (keyof ProvenanceTables[T] & string)[];
  };
}[keyof ProvenanceTables];

/** Topics of which the query store keeps an index. */
export const projectedTopics = [
  'operations',
  'starts',
  'runs',
  'artifacts',
  'registry',
  'deployment-events',
  'predictions',
  'rewards',
  'drift',
  'outliers',
  'alerts',
] as const satisfies readonly EventTopic[];
export type ProjectedTopic = (typeof projectedTopics)[number];

export type ProjectedEvent = {
  [T in ProjectedTopic]: FollowedEvent<T> & { readonly catalogueTopic: T };
}[ProjectedTopic];

/** What an event means for the tables: pure, one case an event. */
export function rowsOf(event: ProjectedEvent): readonly RowChange[] {
  const at = { topic: event.catalogueTopic, partition: event.partition, offset: event.offset };
  const timeMs = event.timeMs;
  switch (event.type) {
    case 'operation-recorded': {
      const { operationId, action, object, actor, outcome } = event.data;
      return [
        { table: 'operations', row: { id: operationId, action, object, actor, outcome, time_ms: timeMs, ...at } },
      ];
    }
    case 'trigger-handled': {
      const { triggerId, name, outcome, source } = event.data;
      const where = {
        source_topic: source?.topic ?? null,
        source_partition: source?.partition ?? null,
        source_offset: source?.offset ?? null,
      };
      return [{ table: 'triggers', row: { id: triggerId, name, outcome, ...where, ...at } }];
    }
    case 'flow-deployed': {
      const { flow, version, bundleHash, actor } = event.data;
      return [{ table: 'flows', row: { flow, version, bundle_hash: bundleHash, actor, deployed_at: timeMs, ...at } }];
    }
    case 'run-requested': {
      const { runId, flow, version, bundleHash, cause, actor } = event.data;
      const row = {
        id: runId,
        flow,
        version,
        status: 'running',
        bundle_hash: bundleHash,
        cause_kind: cause.kind,
        cause_id: cause.id,
        actor,
        requested_at: timeMs,
      };
      return [{ table: 'runs', row: { ...row, ended_at: null, failure: null, ...at } }];
    }
    case 'run-completed':
      return [ended(event.data, 'completed', null, timeMs, at)];
    case 'run-failed':
      return [ended(event.data, 'failed', `${event.data.step}: ${event.data.message}`, timeMs, at)];
    case 'run-cancelled':
      return [ended(event.data, 'cancelled', event.data.reason, timeMs, at)];
    case 'task-started': {
      const { runId, taskId, token, worker } = event.data;
      const row = {
        run_id: runId,
        task_id: taskId,
        status: 'running',
        attempt: token.attempt,
        worker,
        started_at: timeMs,
        ended_at: null,
        message: null,
        logs_hash: null,
        ...at,
      };
      return [{ table: 'tasks', row, update: ['status', 'attempt', 'worker', 'started_at'] }];
    }
    case 'task-completed': {
      const { runId, taskId, token, worker, logs } = event.data;
      const row = {
        run_id: runId,
        task_id: taskId,
        status: 'completed',
        attempt: token.attempt,
        worker,
        started_at: null,
        ended_at: timeMs,
        message: null,
        logs_hash: logs?.hash ?? null,
        ...at,
      };
      return [{ table: 'tasks', row, update: ['status', 'ended_at', 'logs_hash'] }];
    }
    case 'task-failed': {
      const { runId, taskId, token, worker, kind, message, logs } = event.data;
      const row = {
        run_id: runId,
        task_id: taskId,
        status: kind,
        attempt: token.attempt,
        worker,
        started_at: null,
        ended_at: timeMs,
        message,
        logs_hash: logs?.hash ?? null,
        ...at,
      };
      return [{ table: 'tasks', row, update: ['status', 'ended_at', 'message', 'logs_hash'] }];
    }
    case 'artifact-written': {
      const { runId, taskId, step, artifact } = event.data;
      return [
        {
          table: 'artifacts',
          row: {
            run_id: runId,
            task_id: taskId,
            step,
            name: artifact.name,
            hash: artifact.hash,
            size_bytes: artifact.sizeBytes,
            codec: artifact.codec,
            ...at,
          },
        },
      ];
    }
    case 'version-registered': {
      const { model, version, runId, taskId, artifact, metrics, actor } = event.data;
      const row = {
        model,
        version,
        run_id: runId,
        task_id: taskId,
        artifact_hash: artifact.hash,
        metrics: JSON.stringify(metrics),
        actor,
        registered_at: timeMs,
        ...at,
      };
      return [{ table: 'versions', row }];
    }
    case 'alias-set': {
      const { model, alias, version, actor } = event.data;
      return [
        {
          table: 'aliases',
          row: { model, alias, version, actor, set_at: timeMs, ...at },
          update: ['version', 'actor', 'set_at', 'topic', 'partition', 'offset'],
        },
      ];
    }
    case 'deployment-applied': {
      const { deployment, version, document, actor } = event.data;
      return [{ table: 'deployments', row: { deployment, version, document, actor, applied_at: timeMs, ...at } }];
    }
    case 'prediction-completed': {
      const { predictionId, deployment, route } = event.data;
      return [
        {
          table: 'predictions',
          row: {
            id: predictionId,
            partition: at.partition,
            offset: at.offset,
            deployment,
            route,
            status: 'completed',
            time_ms: timeMs,
          },
        },
      ];
    }
    case 'prediction-failed': {
      const { predictionId, deployment, code } = event.data;
      return [
        {
          table: 'predictions',
          row: {
            id: predictionId,
            partition: at.partition,
            offset: at.offset,
            deployment,
            route: '',
            status: code,
            time_ms: timeMs,
          },
        },
      ];
    }
    case 'feedback-received':
      return [
        {
          table: 'feedback',
          row: { id: event.data.feedbackId, prediction_id: event.data.predictionId, kind: 'received', ...at },
        },
      ];
    case 'reward-recorded':
      return [
        {
          table: 'feedback',
          row: { id: event.data.feedbackId, prediction_id: event.data.predictionId, kind: 'reward', ...at },
        },
      ];
    case 'feedback-closed':
      return [
        {
          table: 'feedback',
          row: { id: event.data.feedbackId, prediction_id: event.data.predictionId, kind: event.data.outcome, ...at },
        },
      ];
    case 'experiment-assessed': {
      const { deployment, assessment, verdict, better, pValue } = event.data;
      const summary = `${verdict}${better === null ? '' : ` (${better})`}, p = ${pValue.toPrecision(3)}`;
      return [finding('experiment', `${deployment}#${assessment}`, deployment, better !== null, summary, timeMs, at)];
    }
    case 'drift-assessed': {
      const { deployment, windowId, drifted, features } = event.data;
      const moved = features.filter((feature) => feature.drifted).map(({ name }) => name);
      return [
        finding(
          'drift',
          windowId,
          deployment,
          drifted,
          drifted ? `drift in ${moved.join(', ')}` : 'no drift',
          timeMs,
          at,
        ),
      ];
    }
    case 'drift-not-assessed':
      return [
        finding(
          'drift',
          event.data.windowId,
          event.data.deployment,
          false,
          `not assessed: ${event.data.reason}`,
          timeMs,
          at,
        ),
      ];
    case 'outliers-assessed': {
      const { deployment, windowId, rows, outliers } = event.data;
      return [
        finding(
          'outliers',
          windowId,
          deployment,
          outliers.length > 0,
          `${outliers.length} of ${rows} rows`,
          timeMs,
          at,
        ),
        ...outliers.map(
          ({ predictionId, score }): RowChange => ({
            table: 'outlier_rows',
            row: { prediction_id: predictionId, window_id: windowId, score },
          }),
        ),
      ];
    }
    case 'alert-raised':
      return [
        finding(
          'alert',
          `${event.data.kind}-${event.data.evidenceId}-raised`,
          event.data.deployment,
          true,
          event.data.message,
          timeMs,
          at,
        ),
      ];
    case 'alert-cleared':
      return [
        finding(
          'alert',
          `${event.data.kind}-${event.data.evidenceId}-cleared`,
          event.data.deployment,
          false,
          `${event.data.kind} cleared`,
          timeMs,
          at,
        ),
      ];
    default:
      return [];
  }
}

type At = { topic: string; partition: number; offset: number };

function ended(
  data: { runId: string; flow: string; startedAt: number },
  status: string,
  failure: string | null,
  timeMs: number,
  at: At,
): RowChange {
  const row = {
    id: data.runId,
    flow: data.flow,
    version: 0,
    status,
    bundle_hash: '',
    cause_kind: '',
    cause_id: '',
    actor: '',
    requested_at: data.startedAt,
    ended_at: timeMs,
    failure,
    ...at,
  };
  return { table: 'runs', row, update: ['status', 'ended_at', 'failure'] };
}

function finding(
  kind: string,
  id: string,
  deployment: string,
  positive: boolean,
  summary: string,
  timeMs: number,
  at: At,
): RowChange {
  return {
    table: 'findings',
    row: { id, deployment, kind, positive: positive ? 1 : 0, time_ms: timeMs, summary, ...at },
  };
}
