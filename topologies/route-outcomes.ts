/**
 * What became of the requests of deployments whose traffic is steered, by route, gathered per source partition: a hundred outcomes, or
 * those of a second, are one event. The first outcome of a prediction counts.
 */
import { type Effects, nothing, type Output, type Topology } from '../runtime/engine/topology.ts';

export const routeOutcomes: Topology<'predictions'> = {
  name: 'route-outcomes',
  version: 1,
  input: 'predictions',
  outputs: ['route-evidence'],
  // An outcome has no state of its own by which a late repeat would be known.
  idWindow: 10_000,
  summary: 'counts outcomes and latencies by route where a bandit or a rollout decides',

  reads(event) {
    const seen = outcomeOf(event);
    return seen === undefined ? {} : { keys: [keyOf(seen)] };
  },

  fold(event, state) {
    const seen = outcomeOf(event);
    if (seen === undefined) return nothing;
    const key = keyOf(seen);
    const held = state.get<Pending>(key);
    const pending = withOutcome(held ?? { ...identityOf(seen), outcomes: 0, routes: {} }, seen);
    const count = { outcomes: 1 };
    if (pending.outcomes >= outcomesMax)
      return { delete: [key], clearTimers: [key], emit: [observed(pending, event.partition)], count };
    return {
      put: [[key, pending]],
      ...(held === undefined
        ? { setTimers: [{ name: key, dueMs: event.timeMs + outcomesAgeMs, reads: { keys: [key] } }] }
        : {}),
      count,
    };
  },

  onTimer({ name, partition }, state): Effects {
    const pending = state.get<Pending>(name);
    return pending === undefined ? nothing : { delete: [name], emit: [observed(pending, partition)] };
  },
};

const outcomesMax = 100;
const outcomesAgeMs = 1_000;

interface Identity {
  readonly deployment: string;
  readonly deploymentVersion: number;
}

interface Seen extends Identity {
  readonly route: string;
  /** Nobody got the answer. */
  readonly shadow: boolean;
  /** undefined: it failed. */
  readonly latencyMs: number | undefined;
}

interface Pending extends Identity {
  readonly outcomes: number;
  readonly routes: Readonly<Record<string, { readonly failed: number; readonly latenciesMs: readonly number[] }>>;
}

/** undefined: it does not concern the weights of routes. One that failed before a route was chosen is nobody's. */
function outcomeOf(event: Parameters<typeof routeOutcomes.fold>[0]): Seen | undefined {
  if (event.type === 'prediction-completed' && event.data.terms.steered) {
    const { deployment, deploymentVersion, route, queueMs, runMs } = event.data;
    return { deployment, deploymentVersion, route, shadow: false, latencyMs: queueMs + runMs };
  }
  if (event.type === 'prediction-failed' && event.data.steered && event.data.route !== '') {
    const { deployment, deploymentVersion, route } = event.data;
    return { deployment, deploymentVersion, route, shadow: false, latencyMs: undefined };
  }
  // One that was dropped was never asked.
  if (event.type === 'shadow-answered' && event.data.steered && event.data.outcome !== 'dropped') {
    const { deployment, deploymentVersion, shadow: route, outcome, queueMs, runMs } = event.data;
    const answered = outcome === 'agreed' || outcome === 'differed';
    return { deployment, deploymentVersion, route, shadow: true, latencyMs: answered ? queueMs + runMs : undefined };
  }
  return undefined;
}

function identityOf({ deployment, deploymentVersion }: Seen): Identity {
  return { deployment, deploymentVersion };
}

function withOutcome(pending: Pending, { route, shadow, latencyMs }: Seen): Pending {
  const key = shadow ? `${shadowPrefix}${route}` : route;
  const { failed, latenciesMs } = pending.routes[key] ?? { failed: 0, latenciesMs: [] };
  const next =
    latencyMs === undefined
      ? { failed: failed + 1, latenciesMs }
      : { failed, latenciesMs: [...latenciesMs, latencyMs] };
  return { ...pending, outcomes: pending.outcomes + 1, routes: { ...pending.routes, [key]: next } };
}

function observed({ deployment, deploymentVersion, routes }: Pending, partition: number): Output {
  const list = Object.entries(routes).map(([key, { failed, latenciesMs }]) => ({
    route: key.startsWith(shadowPrefix) ? key.slice(shadowPrefix.length) : key,
    shadow: key.startsWith(shadowPrefix),
    completed: latenciesMs.length,
    failed,
    latenciesMs,
  }));
  const data = { deployment, deploymentVersion, partition, routes: list };
  return { topic: 'route-evidence', type: 'outcomes-observed', data, key: deployment };
}

/** No name of a route begins so. */
const shadowPrefix = '~';

const keyOf = ({ deployment, deploymentVersion }: Identity): string => `o/${deployment}/${deploymentVersion}`;
