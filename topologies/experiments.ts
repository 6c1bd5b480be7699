/**
 * Routes of a deployment compared by feedback. Judged by squared error (for the rule `equal`: by the share of wrong answers), because a
 * mean reward may be ruled by a few rows and pick the worse route; the mean reward is shown beside it.
 *
 * An assessment is made every `assessEvery` rewards. Looking again and again would find a difference sooner or later, so look k must
 * reach alpha / (k (k + 1)): over all looks together that is alpha.
 *
 * Rows of one prediction share its route and are alike: each counts, and the error of a mean is taken over predictions, not over rows.
 *
 * Rewarded predictions must lie on the routes as planned. When they surely do not, requests or feedback of a route get lost, and what is left
 * is no fair sample: the verdict is withheld.
 */
import { type Effects, nothing, type Topology } from '../runtime/engine/topology.ts';
import type { RewardRecorded, RouteScore } from '../schemas/events.ts';
import { addToClusters, clusterMoments, EMPTY_CLUSTERS, type WithinClusters } from '../statistics/ab-test/clustered.ts';
import { expectedSplit, sampleRatioMismatch } from '../statistics/ab-test/traffic-split.ts';
import { meanInterval, welchTest } from '../statistics/ab-test/welch.ts';
import { addToMoments, EMPTY_MOMENTS, type RunningMoments } from '../statistics/samples/running-moments.ts';
import { comparedError } from './prediction-answer.ts';

export const experiments: Topology<'rewards'> = {
  name: 'experiments',
  version: 3,
  input: 'rewards',
  outputs: ['rewards'],
  summary: 'compares the routes of each deployment by the squared error that feedback shows',

  reads(event) {
    return event.type === 'reward-recorded' ? { keys: [keyOf(event.data.deployment)] } : {};
  },

  fold(event, state) {
    if (event.type !== 'reward-recorded') return nothing;
    const reward = event.data;
    const key = keyOf(reward.deployment);
    const known = state.get<Experiment>(key);
    if (known !== undefined && reward.deploymentVersion < known.version) return { count: { rewardsOfOldVersions: 1 } };
    const current = known?.version === reward.deploymentVersion ? known : fresh(reward.deploymentVersion);
    const next: Experiment = {
      ...current,
      rewards: current.rewards + 1,
      routes: credit(current.routes, reward),
      planned: reward.planned.length > 0 ? reward.planned : (current.planned ?? []),
    };
    if (!(reward.assessEvery > 0) || next.rewards % reward.assessEvery !== 0) return { put: [[key, next]] };
    const looked: Experiment = { ...next, assessments: next.assessments + 1 };
    return { put: [[key, looked]], ...assess(looked, reward), count: { assessments: 1 } };
  },
};

/** A route is not judged below this many predictions with an error. */
export const rewardsPerRouteMin = 30;

/** Per deployment; begun anew with each of its versions. */
interface Experiment {
  readonly version: number;
  readonly rewards: number;
  readonly assessments: number;
  /** By name. */
  readonly routes: Readonly<Record<string, RouteState>>;
  /** As the last reward says whose prediction was routed by them; one of a route that the request named says none. Absent in state of version 1. */
  readonly planned?: RewardRecorded['planned'];
}

interface RouteState {
  readonly model: string;
  readonly modelVersion: number;
  readonly squared: RunningMoments;
  readonly absolute: RunningMoments;
  readonly reward: RunningMoments;
  /** Of the squared errors. Absent in state of version 2: each prediction had one row. */
  readonly within?: WithinClusters;
  /** Rewarded predictions that were routed by the planned shares. */
  readonly drawn?: number;
}

function fresh(version: number): Experiment {
  return { version, rewards: 0, assessments: 0, routes: {} };
}

function credit(routes: Experiment['routes'], data: RewardRecorded): Experiment['routes'] {
  const { route, model, modelVersion, reward, planned, before: rows } = data;
  const before = routes[route] ?? {
    model,
    modelVersion,
    squared: EMPTY_MOMENTS,
    absolute: EMPTY_MOMENTS,
    reward: EMPTY_MOMENTS,
  };
  const error = comparedError(data);
  const squared = error === null ? null : error * error;
  return {
    ...routes,
    [route]: {
      ...before,
      squared: addFinite(before.squared, squared),
      within:
        squared === null
          ? withinOf(before)
          : addToClusters(withinOf(before), squared, { rows: rows.errors, sum: rows.squaredErrors }),
      absolute: addFinite(before.absolute, error === null ? null : Math.abs(error)),
      reward: addFinite(before.reward, reward),
      // the draw was one, however many rows it had
      drawn: (before.drawn ?? 0) + (planned.length > 0 && rows.rewards === 0 ? 1 : 0),
    },
  };
}

function withinOf({ within, squared }: RouteState): WithinClusters {
  return within ?? { ...EMPTY_CLUSTERS, clusters: squared.count };
}

/** Squared errors as the comparison takes them: one value a prediction. */
function comparable(state: RouteState): RunningMoments {
  return clusterMoments(state.squared, withinOf(state));
}

function addFinite(moments: RunningMoments, value: number | null): RunningMoments {
  return value === null || !Number.isFinite(value) ? moments : addToMoments(moments, value);
}

function assess(experiment: Experiment, { deployment, alpha }: RewardRecorded): Pick<Effects, 'emit'> {
  const { version, rewards, assessments, routes, planned = [] } = experiment;
  const names = Object.keys(routes).sort();
  const threshold = alpha / (assessments * (assessments + 1));
  const data = {
    deployment,
    deploymentVersion: version,
    assessment: assessments,
    rewards,
    threshold,
    routes: names.map((name) => scoreOf(name, routes[name] as RouteState, 1 - alpha)),
    ...verdictOf(routes, names, threshold, 1 - alpha),
    ...withheld(routes, planned, assessments),
  };
  return { emit: [{ topic: 'rewards', type: 'experiment-assessed', data, key: deployment }] };
}

/** Below this over all looks together; a mismatch by chance would cost an experiment. */
const ratioAlpha = 0.001;
/** Fewest rewards that a route is to have before the shares are judged. */
const expectedMin = 5;

function withheld(
  routes: Experiment['routes'],
  planned: RewardRecorded['planned'],
  look: number,
): {
  readonly ratioPValue: number | null;
  readonly reason: string;
  readonly verdict?: 'withheld';
  readonly better?: null;
} {
  const weights = planned.map(({ weight }) => weight);
  const drawn = planned.map(({ route }) => routes[route]?.drawn ?? 0);
  const total = drawn.reduce((sum, count) => sum + count, 0);
  if (planned.length < 2) return { ratioPValue: null, reason: '' };
  const expected = expectedSplit(weights, total);
  if (Math.min(...expected) < expectedMin) return { ratioPValue: null, reason: '' };
  const ratioPValue = sampleRatioMismatch(drawn, weights).pValue;
  if (ratioPValue > ratioAlpha / (look * (look + 1))) return { ratioPValue, reason: '' };
  const of = planned.map(({ route }, index) => `'${route}' ${drawn[index]} for ${Math.round(expected[index] ?? 0)}`);
  const reason = `rewards do not lie on the routes as planned (${of.join(', ')}): requests or feedback get lost, and what is left is no fair sample`;
  return { ratioPValue, reason, verdict: 'withheld', better: null };
}

function scoreOf(route: string, state: RouteState, confidence: number): RouteScore {
  const [low, high] = meanInterval(comparable(state), confidence);
  const meanOf = ({ count, mean }: RunningMoments): number => (count === 0 ? Number.NaN : mean);
  return {
    route,
    model: state.model,
    modelVersion: state.modelVersion,
    count: state.squared.count,
    meanSquaredError: meanOf(state.squared),
    meanSquaredErrorLow: low,
    meanSquaredErrorHigh: high,
    meanAbsoluteError: meanOf(state.absolute),
    meanReward: meanOf(state.reward),
  };
}

interface Verdict {
  /** Mean squared error of the best route minus that of the second best, with interval. */
  readonly difference: number;
  readonly differenceLow: number;
  readonly differenceHigh: number;
  /** Welch's, of the best route against the one that it is least surely better than, times the number of such comparisons. */
  readonly pValue: number;
  readonly verdict: 'better' | 'undecided' | 'not-enough' | 'withheld';
  readonly better: string | null;
}

function verdictOf(
  routes: Experiment['routes'],
  names: readonly string[],
  threshold: number,
  confidence: number,
): Verdict {
  const ranked = names
    .map((name) => ({ name, squared: comparable(routes[name] as RouteState) }))
    .filter(({ squared }) => squared.count >= 2)
    .sort((a, b) => a.squared.mean - b.squared.mean);
  const [best, second] = ranked;
  if (best === undefined || second === undefined) {
    const unknown = Number.NaN;
    return {
      difference: unknown,
      differenceLow: unknown,
      differenceHigh: unknown,
      pValue: unknown,
      verdict: 'not-enough',
      better: null,
    };
  }
  const others = ranked.slice(1);
  const { difference, interval } = welchTest(best.squared, second.squared, confidence);
  const largest = Math.max(...others.map(({ squared }) => welchTest(best.squared, squared).pValue));
  const pValue = Math.min(1, largest * others.length);
  const enough = ranked.length === names.length && ranked.every(({ squared }) => squared.count >= rewardsPerRouteMin);
  const surely = enough && pValue <= threshold;
  return {
    difference,
    differenceLow: interval[0],
    differenceHigh: interval[1],
    pValue,
    verdict: !enough ? 'not-enough' : surely ? 'better' : 'undecided',
    better: surely ? best.name : null,
  };
}

const keyOf = (deployment: string): string => `x/${deployment}`;
