/** Why a prediction took its route: the weights in force, what justified them, and both computed again. */
import { MillraceError } from '../../../runtime/ports/errors.ts';
import type { RouteExplanation, ShadowExplanation } from '../../../schemas/api/deployments.ts';
import type { DeploymentDocument } from '../../../schemas/deployment-document.ts';
import type { PredictionCompleted, PredictionFailed, WeightsChanged } from '../../../schemas/events.ts';
import { chooseRoute, initialWeights, isMirrored, type RouteWeight, rolloutWeights } from '../../../schemas/traffic.ts';
import { banditWeights } from '../../../topologies/route-weights/bandit.ts';
import { placeText } from './link.ts';
import type { Walk } from './walk.ts';

type Routed = Pick<
  PredictionCompleted & PredictionFailed,
  'predictionId' | 'entity' | 'deployment' | 'deploymentVersion' | 'route' | 'routedBy' | 'weightsVersion'
>;

/** NOT_FOUND when there is no such prediction, or it never came to a route. */
export async function explainRoute(id: string, walk: Pick<Walk, 'reader' | 'database'>): Promise<RouteExplanation> {
  const { reader, database } = walk;
  const row = await database.selectFrom('predictions').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw new MillraceError('NOT_FOUND', `there is no prediction '${id.slice(0, 80)}'`);
  const { event } = await reader.fact('predictions', row);
  if ((event.type !== 'prediction-completed' && event.type !== 'prediction-failed') || event.data.route === '') {
    throw new MillraceError('NOT_FOUND', `prediction ${id} failed before a route was chosen`);
  }
  const document = await documentOf(event.data, walk);
  const weighed = await weightsOf(event.data, document, walk);
  const checks = [...weighed.checks, choiceCheck(event.data, document, weighed.weights)];
  const { predictionId, entity, deployment, deploymentVersion, route, routedBy, weightsVersion } = event.data;
  return {
    ...{ predictionId, entity, deployment, deploymentVersion, route, routedBy, weightsVersion },
    ...weighed,
    checks,
    verified: checks.every(({ problem }) => problem === null),
    shadows: await shadowsOf(id, document, walk),
  };
}

async function documentOf(
  { deployment, deploymentVersion }: Routed,
  { reader, database }: Pick<Walk, 'reader' | 'database'>,
) {
  const row = await database
    .selectFrom('deployments')
    .selectAll()
    .where('deployment', '=', deployment)
    .where('version', '=', deploymentVersion)
    .executeTakeFirst();
  const applied = row === undefined ? undefined : (await reader.fact('deployment-events', row)).event;
  if (applied?.type === 'deployment-applied') return JSON.parse(applied.data.document) as DeploymentDocument;
  throw new MillraceError('NOT_FOUND', `version ${deploymentVersion} of deployment '${deployment}' is not on the log`);
}

type Weighed = Pick<RouteExplanation, 'weights' | 'cause' | 'reason' | 'evidence' | 'decidedAt' | 'at' | 'checks'>;

async function weightsOf(
  { deployment, deploymentVersion, weightsVersion }: Routed,
  document: DeploymentDocument,
  { reader, database }: Pick<Walk, 'reader' | 'database'>,
): Promise<Weighed> {
  if (weightsVersion === 0) {
    const reason = `version ${deploymentVersion} of the document says so`;
    const none = { evidence: [], decidedAt: null, at: null, checks: [] };
    return { weights: initialWeights(document), cause: 'document', reason, ...none };
  }
  const row = await database
    .selectFrom('weights')
    .selectAll()
    .where('deployment', '=', deployment)
    .where('weights_version', '=', weightsVersion)
    .executeTakeFirst();
  const fact = row === undefined ? undefined : await reader.fact('deployment-events', row);
  if (row === undefined || fact?.event.type !== 'weights-changed') {
    throw new MillraceError(
      'NOT_FOUND',
      `version ${weightsVersion} of the weights of '${deployment}' is not on the log`,
    );
  }
  const { data } = fact.event;
  const { weights, cause, reason, evidence } = data;
  const checks = [{ check: 'weights computed again from their evidence', problem: weightsProblem(data, document) }];
  return { weights, cause, reason, evidence, decidedAt: row.time_ms, at: placeText(fact.place), checks };
}

function weightsProblem(changed: WeightsChanged, document: DeploymentDocument): string | null {
  const { bandit, rollout } = document.traffic ?? {};
  let computed: readonly RouteWeight[] = initialWeights(document);
  if (bandit !== undefined) {
    const rewards = changed.evidence.map(
      ({ route, rewardsSeen: seen, rewards: count, rewardSum: sum, rewardSquares: squares }) =>
        [route, { seen, count, sum, squares }] as const,
    );
    computed = banditWeights(document.routes, bandit, Object.fromEntries(rewards), changed.seed);
  } else if (rollout !== undefined) {
    const percent = changed.weights.find(({ route }) => route === rollout.canary)?.weight ?? Number.NaN;
    const allowed = [0, ...rollout.steps.map((step) => step.percent), 100];
    if (!allowed.includes(percent)) return `${percent} % is no step of the rollout: ${allowed.join(', ')}`;
    computed = rolloutWeights(document.routes, rollout, percent);
  }
  const same = sharesText(computed) === sharesText(changed.weights);
  return same ? null : `computed ${sharesText(computed)}, recorded ${sharesText(changed.weights)}`;
}

function choiceCheck(said: Routed, document: DeploymentDocument, weights: readonly RouteWeight[]) {
  const pinned = said.routedBy === 'header' ? said.route : undefined;
  const computed = chooseRoute({ ...said, pinned }, weights, document.traffic?.by ?? 'prediction-id');
  const same = computed?.route === said.route && computed.by === said.routedBy;
  const check =
    pinned === undefined
      ? `route computed again from the ${said.routedBy} and the weights`
      : 'the request named the route, and it had traffic';
  return { check, problem: same ? null : `computed ${computed?.route ?? 'none'}, recorded ${said.route}` };
}

async function shadowsOf(
  id: string,
  document: DeploymentDocument,
  { reader, database }: Pick<Walk, 'reader' | 'database'>,
): Promise<readonly ShadowExplanation[]> {
  const rows = await database.selectFrom('shadow_answers').selectAll().where('prediction_id', '=', id).execute();
  const found: ShadowExplanation[] = [];
  for (const { name, shadow } of document.routes) {
    if (shadow === undefined) continue;
    const row = rows.find((known) => known.shadow === name);
    const event = row === undefined ? undefined : (await reader.fact('predictions', row)).event;
    const answered = event?.type === 'shadow-answered' ? event.data : undefined;
    found.push({
      shadow: name,
      mirrored: isMirrored(id, name, shadow.percent),
      outcome: answered?.outcome ?? null,
      message: answered?.message ?? '',
      differences: answered?.differences ?? [],
    });
  }
  return found;
}

/** `a:0.75 b:0.25`. */
export function sharesText(weights: readonly RouteWeight[]): string {
  return weights.map(({ route, weight }) => `${route}:${Number(weight.toPrecision(6))}`).join(' ');
}
