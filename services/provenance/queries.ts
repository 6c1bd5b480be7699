import type { RunningProjection } from '../../runtime/engine/projection.ts';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import type { DeploymentVersion, RouteExplanation, ShadowTraffic } from '../../schemas/api/deployments.ts';
import type { Finding, FindingSearch, OperationSearch, OperationSummary } from '../../schemas/api/findings.ts';
import type { ArtifactPage, ArtifactSearch, RunPage, RunSearch, ShownRun } from '../../schemas/api/runs.ts';
import type { DeploymentDocument } from '../../schemas/deployment-document.ts';
import { initialWeights } from '../../schemas/traffic.ts';
import { explain } from './explain/explain.ts';
import type { CausalChain } from './explain/link.ts';
import { LinkReader } from './explain/link-reader.ts';
import { explainRoute } from './explain/route-choice.ts';
import { blobsOfRuns, expiredRuns, incompleteRows } from './retention-queries.ts';
import { listAttempts, listCheckpoints, listHeardCards, listLines, placeOfRun } from './attempt-queries.ts';
import type { ProvenanceStore } from './index.ts';
import type { ProjectedTopic } from './rows.ts';
import { findArtifacts, findRuns, summaryOf, tagsOfRun } from './run-queries.ts';
import { completedSlots, explainEvent, flowActivity, flowHistory, listSlots, waitingEvents } from './start-queries.ts';

/** How long a question waits for the tables to have what is on the log. */
const freshMs = 10_000;

/** What people ask of the query store. Times are milliseconds since the epoch; lists are newest first. */
export class ProvenanceQueries {
  readonly #runtime: Runtime;
  readonly #store: ProvenanceStore;

  readonly #projection: RunningProjection;

  constructor(runtime: Runtime, store: ProvenanceStore, projection: RunningProjection) {
    this.#runtime = runtime;
    this.#store = store;
    this.#projection = projection;
  }

  async listRuns(filter: RunSearch): Promise<RunPage> {
    await this.#fresh('runs', ...(filter.artifacts === undefined ? [] : (['artifacts'] as const)));
    return await findRuns(this.#store, filter);
  }

  async listArtifacts(filter: ArtifactSearch): Promise<ArtifactPage> {
    await this.#fresh('artifacts');
    return await findArtifacts(this.#store, filter);
  }

  async showRun(runId: string): Promise<ShownRun | undefined> {
    await this.#fresh('runs', 'artifacts');
    const { database } = this.#store;
    const run = await database.selectFrom('runs').selectAll().where('id', '=', runId).executeTakeFirst();
    if (run === undefined) return undefined;
    const tasks = await database
      .selectFrom('tasks')
      .selectAll()
      .where('run_id', '=', runId)
      .orderBy('started_at')
      .execute();
    const artifacts = await database
      .selectFrom('artifacts')
      .selectAll()
      .where('run_id', '=', runId)
      .orderBy('offset')
      .execute();
    return {
      ...summaryOf(run),
      ...(await tagsOfRun(this.#store, runId)),
      failure: run.failure,
      bundleHash: run.bundle_hash,
      cause: { kind: run.cause_kind, id: run.cause_id },
      parameters: JSON.parse(run.parameters) as Readonly<Record<string, unknown>>,
      originRunId: run.origin_run_id,
      tasks: tasks.map((task) => ({
        taskId: task.task_id,
        status: task.status,
        attempt: task.attempt,
        worker: task.worker,
        startedAt: task.started_at,
        endedAt: task.ended_at,
        message: task.message,
        waits: task.waits_since === null ? null : { since: task.waits_since, compute: task.compute ?? '' },
        logsHash: task.logs_hash,
        originRunId: task.origin_run_id,
        originTaskId: task.origin_task_id,
        artifacts: artifacts
          .filter(({ task_id }) => task_id === task.task_id)
          .map(({ name, hash, size_bytes, codec }) => ({ name, hash, sizeBytes: size_bytes, codec })),
      })),
    };
  }

  /** undefined when there is no such run. */
  async placeOfRun(runId: string) {
    await this.#fresh('runs');
    return await placeOfRun(this.#store, runId);
  }

  async listAttempts(runId: string, filter: { readonly task?: string | undefined } = {}) {
    await this.#fresh('runs');
    return await listAttempts(this.#store, runId, filter);
  }

  async listLines(runId: string) {
    await this.#fresh('task-output');
    return await listLines(this.#store, runId);
  }

  /** Runs of which nothing is kept for their own sake. */
  async expiredRuns(nowMs: number, olderThanMs: number) {
    await this.#fresh('runs', 'artifacts', 'task-output');
    return await expiredRuns(this.#store, nowMs, olderThanMs);
  }

  blobsOfRuns(expired: ReadonlySet<string>) {
    return blobsOfRuns(this.#store, expired);
  }

  async incomplete() {
    return await incompleteRows(this.#store, this.#runtime);
  }

  async listCheckpoints(runId: string) {
    await this.#fresh('runs', 'artifacts');
    return await listCheckpoints(this.#store, runId);
  }

  async listHeardCards(runId: string) {
    await this.#fresh('task-output');
    return await listHeardCards(this.#store, runId);
  }

  async listOperations({ object, actor, limit }: OperationSearch): Promise<readonly OperationSummary[]> {
    await this.#fresh('operations');
    let query = this.#store.database.selectFrom('operations').selectAll().orderBy('time_ms', 'desc').limit(limit);
    if (object !== undefined) query = query.where('object', '=', object);
    if (actor !== undefined) query = query.where('actor', '=', actor);
    return (await query.execute()).map((row) => ({
      operationId: row.id,
      action: row.action,
      object: row.object,
      actor: row.actor,
      outcome: row.outcome,
      at: row.time_ms,
    }));
  }

  async deploymentHistory(deployment: string, limit: number): Promise<readonly DeploymentVersion[]> {
    await this.#fresh('deployment-events');
    const query = this.#store.database
      .selectFrom('deployments')
      .selectAll()
      .where('deployment', '=', deployment)
      .orderBy('version', 'desc')
      .limit(limit);
    return (await query.execute()).map(({ version, document, actor, applied_at }) => ({
      deployment,
      version,
      document,
      actor,
      appliedAt: applied_at,
    }));
  }

  /** Drift verdicts, outliers, experiments and alerts. */
  async listFindings({ deployment, kind, limit }: FindingSearch): Promise<readonly Finding[]> {
    await this.#fresh('drift', 'outliers', 'rewards', 'alerts');
    let query = this.#store.database.selectFrom('findings').selectAll().orderBy('time_ms', 'desc').limit(limit);
    if (deployment !== undefined) query = query.where('deployment', '=', deployment);
    if (kind !== undefined) query = query.where('kind', '=', kind);
    return (await query.execute()).map((row) => ({
      id: row.id,
      deployment: row.deployment,
      kind: row.kind,
      positive: row.positive === 1,
      at: row.time_ms,
      summary: row.summary,
    }));
  }

  /** Where a drift finding lies on `drift`; undefined when there is none of that id. */
  async placeOfDrift(id: string): Promise<{ partition: number; offset: number } | undefined> {
    await this.#fresh('drift');
    return await this.#store.database
      .selectFrom('findings')
      .select(['partition', 'offset'])
      .where('kind', '=', 'drift')
      .where('id', '=', id)
      .executeTakeFirst();
  }

  /** Where a prediction lies on `predictions`; undefined when there is none of that id. */
  async placeOfPrediction(id: string) {
    await this.#fresh('predictions');
    return await this.#store.database
      .selectFrom('predictions')
      .select(['partition', 'offset', 'deployment', 'status'])
      .where('id', '=', id)
      .executeTakeFirst();
  }

  /** Where the explanations of a prediction lie on `attributions`, newest first; those that were refused too. */
  async placesOfAttributions(predictionId: string) {
    await this.#fresh('attributions');
    return await this.#store.database
      .selectFrom('attributions')
      .select(['id', 'partition', 'offset'])
      .where('prediction_id', '=', predictionId)
      .orderBy('time_ms', 'desc')
      .limit(50)
      .execute();
  }

  /** undefined when no such event is known. */
  async explainEvent(eventId: string) {
    await this.#fresh('operations', 'starts');
    return await explainEvent(this.#store, eventId);
  }

  async waitingEvents(flow: string, trigger: string) {
    await this.#fresh('starts');
    return await waitingEvents(this.#store, flow, trigger);
  }

  async flowHistory(flow: string, limit: number) {
    await this.#fresh('starts');
    return await flowHistory(this.#store, flow, limit);
  }

  async listSlots(flow: string, limit: number) {
    await this.#fresh('starts');
    return await listSlots(this.#store, flow, limit);
  }

  async completedSlots(flow: string, schedule: string) {
    await this.#fresh('starts', 'runs');
    return await completedSlots(this.#store, flow, schedule);
  }

  async flowActivity() {
    await this.#fresh('starts', 'runs');
    return await flowActivity(this.#store);
  }

  /** Why anything came about and what came of it. NOT_FOUND names what was searched. */
  async explain(id: string): Promise<CausalChain> {
    await this.#fresh();
    return await explain(id, this.#runtime, this.#store);
  }

  /** Why a prediction took its route. NOT_FOUND when there is no such prediction. */
  async explainRoute(predictionId: string): Promise<RouteExplanation> {
    await this.#fresh('predictions', 'deployment-events');
    return await explainRoute(predictionId, {
      reader: new LinkReader(this.#runtime),
      database: this.#store.database,
    });
  }

  /** How often shadows agreed, by shadow route and outcome; of the deployment's current and earlier versions. */
  async shadowTraffic(deployment: string): Promise<readonly ShadowTraffic[]> {
    await this.#fresh('predictions');
    const query = this.#store.database.selectFrom('shadow_traffic').selectAll().where('deployment', '=', deployment);
    return (await query.orderBy('version', 'desc').execute()).map(({ version, shadow, outcome, answers }) => ({
      version,
      shadow,
      outcome,
      answers,
    }));
  }

  /** The version that was in force at a time; undefined when there was none. */
  async deploymentAt(deployment: string, timeMs: number): Promise<DeploymentVersion | undefined> {
    await this.#fresh('deployment-events');
    const { database } = this.#store;
    const applied = await database
      .selectFrom('deployments')
      .selectAll()
      .where('deployment', '=', deployment)
      .where('applied_at', '<=', timeMs)
      .orderBy('version', 'desc')
      .executeTakeFirst();
    if (applied === undefined) return undefined;
    const removed = await database
      .selectFrom('removals')
      .select('removed_at')
      .where('deployment', '=', deployment)
      .where('version', '=', applied.version)
      .where('removed_at', '<=', timeMs)
      .executeTakeFirst();
    if (removed !== undefined) return undefined;
    const weights = await database
      .selectFrom('weights')
      .selectAll()
      .where('deployment', '=', deployment)
      .where('time_ms', '<=', timeMs)
      .where('time_ms', '>=', applied.applied_at)
      .orderBy('weights_version', 'desc')
      .executeTakeFirst();
    const { version, document, actor, applied_at } = applied;
    const shown = { deployment, version, document, actor, appliedAt: applied_at };
    const initial = initialWeights(JSON.parse(document) as DeploymentDocument);
    if (weights === undefined) return { ...shown, weightsVersion: 0, weights: initial };
    const { event } = await new LinkReader(this.#runtime).fact('deployment-events', weights);
    const changed =
      event.type === 'weights-changed' && event.data.deploymentVersion === version ? event.data : undefined;
    return { ...shown, weightsVersion: changed?.weightsVersion ?? 0, weights: changed?.weights ?? initial };
  }

  /** What was acknowledged before a question is in its answer. */
  async #fresh(...topics: readonly ProjectedTopic[]): Promise<void> {
    await this.#projection.caughtUp(freshMs, topics.length === 0 ? undefined : topics);
  }
}
