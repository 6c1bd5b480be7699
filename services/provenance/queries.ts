import type { RunningProjection } from '../../runtime/engine/projection.ts';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import { hasCode } from '../../runtime/ports/index.ts';
import type { DeploymentVersion, RouteExplanation, ShadowTraffic } from '../../schemas/api/deployments.ts';
import type { Finding, FindingSearch, OperationSearch, OperationSummary } from '../../schemas/api/findings.ts';
import type { ArtifactPage, ArtifactSearch, RunPage, RunSearch, ShownRun, TaskSearch } from '../../schemas/api/runs.ts';
import type { FeatureStatistics, StatisticsSearch } from '../../schemas/api/feature-statistics.ts';
import type { QualitySearch, QualityWindow, RewardFailures } from '../../schemas/api/quality.ts';
import type { DeliveryAttempt, DeliveryPage, DeliverySearch } from '../../schemas/api/webhooks.ts';
import type { CountedTraffic, RequestPage, RequestSearch } from '../../schemas/api/request-log.ts';
import type { DeploymentDocument } from '../../schemas/deployment-document.ts';
import { initialWeights } from '../../schemas/traffic.ts';
import { explain } from './explain/explain.ts';
import type { CausalChain } from './explain/link.ts';
import { LinkReader } from './explain/link-reader.ts';
import { explainRoute } from './explain/route-choice.ts';
import { blobsOfRuns, expiredRuns, incompleteRows } from './retention-queries.ts';
import { listAttempts, listCheckpoints, listHeardCards, listLines, placeOfRun } from './attempt-queries.ts';
import type { ProvenanceStore } from './index.ts';
import { readStatistics } from './feature-statistics/read.ts';
import { findDeliveries, lastAttempt } from './monitoring/deliveries.ts';
import { findQuality, findRewardFailures } from './monitoring/quality.ts';
import { searchRequests } from './request-log/search.ts';
import type { ProjectedTopic } from './rows.ts';
import { findArtifacts, findRuns, summaryOf, tagsOfRun } from './run-queries.ts';
import { countSteps, findTasks } from './run-tasks.ts';
import {
  completedSlots,
  explainEvent,
  flowActivity,
  flowHistory,
  listSlots,
  waitingEvents,
  waitingStarts,
} from './start-queries.ts';

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

  async runOfRequest(flow: string, requestId: string): Promise<{ runId: string; version: number } | undefined> {
    await this.#fresh('runs');
    const row = await this.#store.database
      .selectFrom('runs')
      .select(['id', 'version'])
      .where('cause_id', '=', requestId)
      .where('cause_kind', 'in', ['manual', 'resume'])
      .where('flow', '=', flow)
      .executeTakeFirst();
    return row === undefined ? undefined : { runId: row.id, version: row.version };
  }

  async listArtifacts(filter: ArtifactSearch): Promise<ArtifactPage> {
    await this.#fresh('artifacts');
    return await findArtifacts(this.#store, filter);
  }

  /** With the tasks that are looked for. */
  async showRun(runId: string, search: TaskSearch): Promise<ShownRun | undefined> {
    await this.#fresh('runs', 'artifacts');
    const run = await this.#store.database.selectFrom('runs').selectAll().where('id', '=', runId).executeTakeFirst();
    if (run === undefined) return undefined;
    return {
      ...summaryOf(run),
      ...(await tagsOfRun(this.#store, runId)),
      failure: run.failure,
      bundleHash: run.bundle_hash,
      cause: { kind: run.cause_kind, id: run.cause_id },
      parameters: JSON.parse(run.parameters) as Readonly<Record<string, unknown>>,
      originRunId: run.origin_run_id,
      steps: await countSteps(this.#store, runId),
      ...(await findTasks(this.#store, runId, search)),
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
    const rows = await query.execute();
    return await Promise.all(
      rows.map(async ({ version, document, actor, applied_at }, index) => ({
        ...{ deployment, version, document, actor, appliedAt: applied_at },
        ...(await this.#changedWeights(deployment, version, applied_at, (rows[index - 1]?.applied_at ?? Infinity) - 1)),
      })),
    );
  }

  /** The newest weights of a version up to a time; undefined while they are those of its document. */
  async #changedWeights(
    deployment: string,
    version: number,
    fromMs: number,
    toMs: number,
  ): Promise<Pick<DeploymentVersion, 'weightsVersion' | 'weights' | 'reason'> | undefined> {
    const found = await this.#store.database
      .selectFrom('weights')
      .selectAll()
      .where('deployment', '=', deployment)
      .where('time_ms', '>=', fromMs)
      .where('time_ms', '<=', Math.min(toMs, Number.MAX_SAFE_INTEGER))
      .orderBy('weights_version', 'desc')
      .executeTakeFirst();
    if (found === undefined) return undefined;
    // A log that keeps it no longer must not take the history with it.
    const fact = await new LinkReader(this.#runtime).fact('deployment-events', found).catch((error: unknown) => {
      if (hasCode(error, 'NOT_FOUND')) return undefined;
      throw error;
    });
    if (fact === undefined) return undefined;
    const { event } = fact;
    if (event.type !== 'weights-changed' || event.data.deploymentVersion !== version) return undefined;
    const { weightsVersion, weights, reason } = event.data;
    return { weightsVersion, weights, reason };
  }

  /** Drift verdicts, outliers, experiments and alerts. */
  async listFindings({ deployment, kind, limit }: FindingSearch): Promise<readonly Finding[]> {
    await this.#fresh('drift', 'outliers', 'rewards', 'quality', 'alerts');
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

  /** Predictions of a deployment, counted. */
  async traffic(deployment: string): Promise<readonly CountedTraffic[]> {
    await this.#fresh('predictions');
    const rows = this.#store.database.selectFrom('traffic').selectAll().where('deployment', '=', deployment);
    return (await rows.execute()).map(({ version, route, status: outcome, predictions, newest }) => ({
      ...{ version, route, outcome, predictions, newest },
    }));
  }

  /** Windows of quality metrics, newest first. */
  async findQuality(search: QualitySearch): Promise<readonly QualityWindow[]> {
    await this.#fresh('quality');
    return await findQuality(this.#store, search);
  }

  /** Rewards that the function of a deployment did not make, by what went wrong. */
  async rewardFailures(deployment: string): Promise<readonly RewardFailures[]> {
    await this.#fresh('rewards');
    return await findRewardFailures(this.#store, deployment);
  }

  async findDeliveries(search: DeliverySearch): Promise<DeliveryPage> {
    await this.#fresh('webhook-deliveries');
    return await findDeliveries(this.#store, search);
  }

  /** The newest attempt at an event; undefined when none is known. */
  async lastAttempt(webhook: string, origin: string, deliveryId: string): Promise<DeliveryAttempt | undefined> {
    await this.#fresh('webhook-deliveries');
    return await lastAttempt(this.#store, webhook, origin, deliveryId);
  }

  /** How the values of features and outputs lay over time. */
  async featureStatistics(search: StatisticsSearch): Promise<FeatureStatistics> {
    await this.#fresh('feature-statistics', 'deployment-events');
    return await readStatistics(this.#store, search, this.#runtime.parts.clock.now());
  }

  /** The request log. */
  async searchRequests(search: RequestSearch): Promise<RequestPage> {
    await this.#fresh('predictions', 'outliers', 'deployment-events');
    return await searchRequests(this.#store, search);
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

  async waitingStarts(flow: string, limit: number) {
    await this.#fresh('starts', 'runs');
    return await waitingStarts(this.#store, flow, limit);
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
    const { version, document, actor, applied_at } = applied;
    const shown = { deployment, version, document, actor, appliedAt: applied_at };
    const changed = await this.#changedWeights(deployment, version, applied_at, timeMs);
    if (changed !== undefined) return { ...shown, ...changed };
    return { ...shown, weightsVersion: 0, weights: initialWeights(JSON.parse(document) as DeploymentDocument) };
  }

  /** What was acknowledged before a question is in its answer. */
  async #fresh(...topics: readonly ProjectedTopic[]): Promise<void> {
    await this.#projection.caughtUp(freshMs, topics.length === 0 ? undefined : topics);
  }
}
