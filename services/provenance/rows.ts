import type { ProjectedEvent } from '../../runtime/engine/projection.ts';
import type { RowChange } from '../../runtime/ports/query-store.ts';
import { type DeploymentDocument, modelsOfRoute } from '../../schemas/deployment-document.ts';
import { type FlowGraph, flowDefaults } from '../../schemas/flow-graph.ts';
import type { Artifact, EventTopic, QualityAssessed, RunRequested } from '../../schemas/events.ts';
import { brokenBounds } from '../../topologies/quality-alerts.ts';
import { attemptRows, outputRows } from './attempt-rows.ts';
import { deliveryRows, qualityWindow, rewardFailure } from './monitoring/rows.ts';
import { featureWindow } from './feature-statistics/rows.ts';
import { completedRequest, failedDeployment, failedRequest, otherRecord } from './request-log/rows.ts';
import { startOver, startRows } from './start-rows.ts';
import { taskRows } from './task-rows.ts';
import type { ProvenanceTables } from './tables.ts';

export type Change = RowChange<ProvenanceTables>;

/** Longest value that can be looked for, characters of JSON. */
export const searchedMax = 200;

/** Topics of which the query store keeps an index. */
export const projectedTopics = [
  'operations',
  'starts',
  'runs',
  'task-output',
  'artifacts',
  'registry',
  'deployment-events',
  'predictions',
  'rewards',
  'attributions',
  'drift',
  'outliers',
  'alerts',
  'feature-statistics',
  'quality',
  'webhook-deliveries',
] as const satisfies readonly EventTopic[];
export type ProjectedTopic = (typeof projectedTopics)[number];

/** What an event means for the tables: pure, one case an event. */
export function rowsOf(event: ProjectedEvent<ProjectedTopic>): readonly Change[] {
  const at = { topic: event.catalogueTopic, partition: event.partition, offset: event.offset };
  const timeMs = event.timeMs;
  switch (event.type) {
    case 'operation-recorded': {
      const { operationId, action, object, actor, outcome, detail } = event.data;
      const row = { id: operationId, action, object, actor, outcome, request_id: requestIdOf(detail) };
      // What was asked for may be refused afterwards; who asked, when and where stays.
      return [{ table: 'operations', row: { ...row, time_ms: timeMs, ...at }, set: ['outcome'] }];
    }
    case 'trigger-handled': {
      const { triggerId, name, outcome, source, considered, givenId = null } = event.data;
      const where = {
        source_topic: source?.topic ?? null,
        source_partition: source?.partition ?? null,
        source_offset: source?.offset ?? null,
      };
      const rest = { considered: JSON.stringify(considered), time_ms: timeMs };
      return [
        { table: 'triggers', row: { id: triggerId, given_id: givenId, name, outcome, ...where, ...rest, ...at } },
      ];
    }
    case 'flow-deployed': {
      const { flow, version, bundleHash, actor } = event.data;
      return [
        { table: 'flows', row: { flow, version, bundle_hash: bundleHash, actor, deployed_at: timeMs, ...at } },
        ...startRows(event, at),
      ];
    }
    case 'flow-controlled':
    case 'backfill-accepted':
    case 'event-judged':
    case 'slots-judged':
    case 'start-queued':
    case 'start-skipped':
    case 'start-refused':
      return startRows(event, at);
    case 'run-requested': {
      const { runId, flow, version, bundleHash, cause, actor, parameters, resume = null } = event.data;
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
        ended_at: null,
        failure: null,
        parameters,
        resumable_ms: resumableMsOf(event.data.graph),
        origin_run_id: resume?.runId ?? null,
        ...at,
      };
      // starts of schedules and triggers wait under their own names
      const asked = cause.kind === 'manual' || cause.kind === 'resume';
      const waits = asked ? [startOver({ flow, requestId: cause.id })] : [];
      // In place it runs again, and is otherwise what it was.
      if (resume?.runId === runId)
        return [
          { table: 'runs', row, set: ['status', 'ended_at', 'failure', 'origin_run_id', 'bundle_hash'] },
          ...waits,
        ];
      return [{ table: 'runs', row }, ...labelsOf(event.data, timeMs), ...waits];
    }
    case 'run-tags-changed': {
      const { runId, added, removed, requestedAt } = event.data;
      return [
        ...removed.map((name): Change => ({ table: 'run_labels', remove: { run_id: runId, kind: 'tag', name } })),
        ...added.map((name) => label(runId, 'tag', name, '', requestedAt)),
      ];
    }
    case 'run-completed':
      return [ended(event.data, 'completed', null, timeMs, at)];
    case 'run-failed':
      return [ended(event.data, 'failed', `${event.data.step}: ${event.data.message}`, timeMs, at)];
    case 'run-cancelled':
      return [ended(event.data, 'cancelled', event.data.reason, timeMs, at)];
    case 'task-started':
    case 'phase-lapsed':
    case 'task-completed':
    case 'task-failed':
    case 'task-retried':
    case 'task-closed':
      return [...taskRows(event, at), ...attemptRows(event)];
    case 'output-written':
    case 'card-updated':
      return outputRows(event, at);
    case 'artifact-written': {
      const { runId, taskId, step, artifact, originRunId = null } = event.data;
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
            inline: artifact.inline?.toString('base64') ?? null,
            value: shortText(artifact),
            origin_run_id: originRunId,
            written_at: timeMs,
            ...at,
          },
          // a task that ran again in place
          set: 'all',
        },
      ];
    }
    case 'checkpoint-written': {
      const { runId, taskId, attempt, checkpoint, kept } = event.data;
      const row = {
        run_id: runId,
        task_id: taskId,
        name: checkpoint.name,
        attempt,
        hash: checkpoint.hash,
        size_bytes: checkpoint.sizeBytes,
        codec: checkpoint.codec,
        inline: checkpoint.inline?.toString('base64') ?? null,
        kept: kept ? 1 : 0,
        written_at: timeMs,
        ...at,
      };
      return [{ table: 'checkpoints', row, set: 'all' }];
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
          set: ['version', 'actor', 'set_at', 'topic', 'partition', 'offset'],
        },
      ];
    }
    case 'deployment-applied': {
      const { deployment, version, document, actor } = event.data;
      const { routes } = JSON.parse(document) as DeploymentDocument;
      return [
        { table: 'deployments', row: { deployment, version, document, actor, applied_at: timeMs, ...at } },
        ...routes.flatMap((route) =>
          modelsOfRoute(route).map(
            ({ model: { model, modelVersion } }): Change => ({
              table: 'routes',
              row: { deployment, version, route: route.name, model, model_version: modelVersion },
            }),
          ),
        ),
      ];
    }
    case 'deployment-removed': {
      const { deployment, version, actor } = event.data;
      return [{ table: 'removals', row: { deployment, version, actor, removed_at: timeMs, ...at } }];
    }
    case 'weights-changed': {
      const { deployment, weightsVersion } = event.data;
      return [{ table: 'weights', row: { deployment, weights_version: weightsVersion, time_ms: timeMs, ...at } }];
    }
    case 'shadow-answered': {
      const { predictionId, deployment, deploymentVersion, shadow, outcome } = event.data;
      return [
        { table: 'shadow_answers', row: { prediction_id: predictionId, shadow, outcome, ...at } },
        { table: 'shadow_traffic', row: { deployment, version: deploymentVersion, shadow, outcome, answers: 1 } },
        otherRecord(at),
      ];
    }
    case 'prediction-conflicted':
      return [otherRecord(at)];
    case 'prediction-completed': {
      const { predictionId, deployment, deploymentVersion, route } = event.data;
      const counted = { version: deploymentVersion, route, status: 'completed' };
      return [...predicted(predictionId, deployment, counted, timeMs, at), ...completedRequest(event.data, timeMs, at)];
    }
    case 'prediction-failed': {
      const { predictionId, code } = event.data;
      return [
        ...predicted(predictionId, failedDeployment(event.data), { version: 0, route: '', status: code }, timeMs, at),
        ...failedRequest(event.data, timeMs, at),
      ];
    }
    case 'feedback-received':
      return [feedbackRow(event.data, 'received', at)];
    case 'reward-recorded':
      return [feedbackRow(event.data, 'reward', at)];
    case 'feedback-closed':
      return [feedbackRow(event.data, event.data.outcome, at)];
    case 'experiment-assessed': {
      const { deployment, deploymentVersion, assessment, verdict, better, pValue, reason } = event.data;
      const found = `${verdict}${better === null ? '' : ` (${better})`}`;
      const summary = reason === '' ? `${found}, p = ${pValue.toPrecision(3)}` : `${found}: ${reason}`;
      const id = `${deployment}#${deploymentVersion}#${assessment}`;
      return [
        finding('experiment', id, { deployment, deploymentVersion, positive: better !== null, summary }, timeMs, at),
      ];
    }
    case 'drift-assessed': {
      const { deployment, deploymentVersion, windowId, findingId, detector, drifted, features } = event.data;
      const moved = features.filter((feature) => feature.drifted).map(({ name }) => name);
      const summary = `${drifted ? `drift in ${moved.join(', ')}` : 'no drift'} (${detector})`;
      const id = findingId === '' ? windowId : findingId;
      return [finding('drift', id, { deployment, deploymentVersion, positive: drifted, summary }, timeMs, at)];
    }
    case 'drift-not-assessed': {
      const { deployment, deploymentVersion, windowId, findingId, detector, reason } = event.data;
      const summary = `not assessed: ${reason}${detector === '' ? '' : ` (${detector})`}`;
      const id = findingId === '' ? windowId : findingId;
      return [finding('drift', id, { deployment, deploymentVersion, positive: false, summary }, timeMs, at)];
    }
    case 'outliers-assessed': {
      const { deployment, deploymentVersion, windowId, findingId, detector, rows, outliers } = event.data;
      const id = findingId === '' ? windowId : findingId;
      const summary = `${outliers.length} of ${rows} rows (${detector})`;
      const positive = outliers.length > 0;
      return [
        finding('outliers', id, { deployment, deploymentVersion, positive, summary }, timeMs, at),
        ...outliers.map(
          ({ predictionId, score }): Change => ({
            table: 'outlier_rows',
            row: { prediction_id: predictionId, window_id: id, score },
            set: ['score'],
          }),
        ),
      ];
    }
    case 'attribution-computed':
    case 'attribution-refused': {
      const { attributionId, predictionId, deployment, method } = event.data;
      const outcome = event.type === 'attribution-computed' ? 'computed' : event.data.code;
      const row = { id: attributionId, prediction_id: predictionId, deployment, method, outcome, time_ms: timeMs };
      return [{ table: 'attributions', row: { ...row, partition: at.partition, offset: at.offset } }];
    }
    case 'reward-failed':
      return [rewardFailure(event.data, timeMs)];
    case 'quality-assessed':
      return [qualityWindow(event.data, at), ...qualityFinding(event.data, timeMs, at)];
    case 'deliveries-attempted':
      return deliveryRows(event.data, at);
    case 'features-summarized':
      return [featureWindow(event.data)];
    case 'alert-raised':
      return [alert('raised', event.data, event.data.message, timeMs, at)];
    case 'alert-cleared':
      return [alert('cleared', event.data, `${event.data.kind} cleared`, timeMs, at)];
    default:
      return [];
  }
}

function feedbackRow(
  { feedbackId, predictionId, row }: { feedbackId: string; predictionId: string; row: number | null },
  kind: string,
  at: At,
): Change {
  return { table: 'feedback', row: { id: feedbackId, row: row ?? -1, prediction_id: predictionId, kind, ...at } };
}

function labelsOf({ runId, tags, systemTags = [], parameters }: RunRequested, requestedAt: number): readonly Change[] {
  return [
    ...tags.map((name) => label(runId, 'tag', name, '', requestedAt)),
    ...systemTags.map((name) => label(runId, 'system', name, '', requestedAt)),
    ...Object.entries(JSON.parse(parameters) as Record<string, unknown>).map(([name, value]) =>
      label(runId, 'parameter', name, JSON.stringify(value).slice(0, searchedMax), requestedAt),
    ),
  ];
}

function label(runId: string, kind: string, name: string, value: string, requestedAt: number): Change {
  return { table: 'run_labels', row: { run_id: runId, kind, name, value, requested_at: requestedAt }, set: 'all' };
}

/** What can be looked for by its value: JSON of so many characters at most. */
function shortText({ codec, inline = null }: Artifact): string | null {
  return codec === 'json' && inline !== null && inline.length <= searchedMax ? inline.toString('utf8') : null;
}

type At = { topic: string; partition: number; offset: number };

function ended(
  data: { runId: string; flow: string; startedAt: number },
  status: string,
  failure: string | null,
  timeMs: number,
  at: At,
): Change {
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
    parameters: '{}',
    resumable_ms: flowDefaults.resumableMs,
    origin_run_id: null,
    ...at,
  };
  return { table: 'runs', row, set: ['status', 'ended_at', 'failure'] };
}

interface Found {
  readonly deployment: string;
  readonly deploymentVersion: number;
  readonly positive: boolean;
  readonly summary: string;
  readonly evidenceId?: string;
  readonly alertId?: string;
}

function finding(kind: string, id: string, found: Found, timeMs: number, at: At): Change {
  const { deployment, deploymentVersion, positive, summary, evidenceId = null, alertId = null } = found;
  const row = {
    id,
    deployment,
    deployment_version: deploymentVersion,
    kind,
    positive: positive ? 1 : 0,
    time_ms: timeMs,
    summary,
    evidence_id: evidenceId,
    alert_id: alertId,
    ...at,
  };
  return { table: 'findings', row };
}

/** Only of windows that a bound looks at. */
function qualityFinding(data: QualityAssessed, timeMs: number, at: At): Change[] {
  const { deployment, deploymentVersion, windowId, route, segment, bounds, metrics, reward, rows } = data;
  if (windowId === '') return [];
  const broken = brokenBounds(data);
  const values = new Map<string, number>([
    ...metrics.map(({ name, value }) => [name, value] as const),
    ...(reward === null
      ? []
      : ([
          ['reward_mean', reward.mean],
          ['reward_median', reward.median],
        ] as const)),
  ]);
  const named = [...new Set(bounds.map(({ metric }) => metric))].flatMap((metric) => {
    const value = values.get(metric);
    return value === undefined ? [] : [`${metric} ${Number(value.toPrecision(4))}`];
  });
  const of = `${route === '' ? '' : ` of route '${route}'`}${segment === '' ? '' : ` where ${segment}`}`;
  const verdict = broken.length === 0 ? 'within its bounds' : `beyond ${broken.join(', ')}`;
  const summary = `${named.join(', ')}${of} over ${rows} rows: ${verdict}`;
  return [
    finding('quality', windowId, { deployment, deploymentVersion, positive: broken.length > 0, summary }, timeMs, at),
  ];
}

function alert(
  state: 'raised' | 'cleared',
  data: {
    deployment: string;
    deploymentVersion: number;
    kind: string;
    subject: string;
    evidenceId: string;
    alertId: string;
  },
  summary: string,
  timeMs: number,
  at: At,
): Change {
  // Several bounds may look at one window of quality.
  const of = data.kind === 'drift' ? '' : `-${data.subject}`;
  const id = `${data.kind}-${data.evidenceId}${of}-${state}`;
  return finding('alert', id, { ...data, positive: state === 'raised', summary }, timeMs, at);
}

function predicted(
  id: string,
  deployment: string,
  { version, route, status }: { version: number; route: string; status: string },
  timeMs: number,
  { partition, offset }: At,
): Change[] {
  return [
    { table: 'predictions', row: { id, partition, offset, deployment, route, status, time_ms: timeMs } },
    {
      table: 'traffic',
      row: { deployment, version, route, status, predictions: 1, newest: id },
      set: ['newest'],
    },
  ];
}

/** Of an operation's detail, which is JSON of the gateway's own making. */
function requestIdOf(detail: string): string {
  try {
    const { requestId } = JSON.parse(detail) as { requestId?: unknown };
    return typeof requestId === 'string' ? requestId : '';
  } catch {
    return '';
  }
}

/** Of the graph as it was asked for; a run that resumes another one with its code says none. */
function resumableMsOf(graph: string): number {
  try {
    const { resumableMs } = JSON.parse(graph === '' ? '{}' : graph) as Partial<FlowGraph>;
    return typeof resumableMs === 'number' ? resumableMs : flowDefaults.resumableMs;
  } catch {
    return flowDefaults.resumableMs;
  }
}
