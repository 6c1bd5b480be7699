/**
 * Deployments: each accepted document is a new version, numbered from 1 without holes, also across removals. A request that comes
 * again (same deployment and requestId) changes nothing: its answer is on the topic already.
 */
import {
  type Effects,
  type InputEvent,
  nothing,
  type Output,
  type StateView,
  type Topology,
} from '../runtime/engine/topology.ts';
import { withAttached } from '../schemas/attached.ts';
import { type DeploymentDocument, type DeploymentRoute, mapModels } from '../schemas/deployment-document.ts';
import { deploymentProblems } from '../schemas/deployment-problems.ts';
import { methodOf } from '../schemas/detector-methods.ts';
import { detectorsOf } from '../schemas/detectors.ts';
import type { AliasMoved, DeployRequested, RemovalRequested } from '../schemas/events.ts';
import type { SharedRoute, SteeringSettings } from '../schemas/traffic.ts';
import {
  type Decision,
  decideOnce,
  decisionKey,
  forgetDecisions,
  memoryKey,
  remembered,
  stateKey,
} from './decision-request.ts';

export const deployments: Topology<'deployment-events'> = {
  name: 'deployments',
  version: 4,
  input: 'deployment-events',
  outputs: ['deployment-events', 'deployments', 'route-evidence', 'drift', 'quality'],
  summary: 'checks deployment documents, numbers their versions, keeps the table of current deployments',

  reads(event) {
    if (!isRequest(event)) return {};
    const { deployment, requestId } = event.data;
    return { keys: [decisionKey(deployment, requestId), memoryKey(event), currentKey(deployment)] };
  },

  fold(event, state) {
    if (!isRequest(event)) return nothing;
    if (event.type === 'alias-moved') return follow(event.data, state, event);
    const { deployment, requestId, actor } = event.data;
    const current = state.get<Current>(currentKey(deployment));
    return decideOnce(
      { subject: deployment, requestId, nameProblem: deploymentNameProblem(deployment), place: event },
      state,
      () =>
        event.type === 'deploy-requested' ? apply(event.data, current, event.timeMs) : remove(event.data, current),
      (reason) => ({
        topic: 'deployment-events',
        type: 'deployment-refused',
        data: { deployment, requestId, reason, actor },
        key: deployment,
      }),
    );
  },

  onTimer: (timer, state) => forgetDecisions(timer, state) ?? nothing,
};

type Request = Extract<
  InputEvent<'deployment-events'>,
  { readonly type: 'deploy-requested' | 'removal-requested' | 'alias-moved' }
>;

function isRequest(event: InputEvent<'deployment-events'>): event is Request {
  return event.type === 'deploy-requested' || event.type === 'removal-requested' || event.type === 'alias-moved';
}

interface Current {
  readonly version: number;
  readonly removed: boolean;
  /** JSON of one that follows aliases. */
  readonly following?: string;
}

/** What others pinned by an alias is pinned anew, with what belongs to the version; what it lacks stays. Whoever does not follow, or has that version, is left as it is. */
function follow(
  { deployment, model, alias, modelVersion, artifactHash, attached, requestId, actor }: AliasMoved,
  state: StateView,
  place: Pick<InputEvent<'deployment-events'>, 'timeMs' | 'offset'>,
): Effects {
  const current = state.get<Current>(currentKey(deployment));
  const answered = decisionKey(deployment, requestId);
  if (current?.following === undefined || current.removed || state.get(answered) !== undefined)
    return { count: { aliasMovesIgnored: 1 } };
  const before = JSON.parse(current.following) as DeploymentDocument;
  const isNamed = (name: { readonly model: string; readonly alias?: string }): boolean =>
    name.model === model && name.alias === alias;
  const repinned = mapModels(before, (pin) =>
    isNamed(pin) && pin.modelVersion !== modelVersion ? { ...pin, modelVersion, artifactHash } : pin,
  );
  const monitors = withAttached(before.monitors, (reference) =>
    isNamed(reference) ? attached[reference.name] : undefined,
  );
  const after = { ...repinned, monitors };
  if (JSON.stringify(after) === JSON.stringify(before)) return { count: { aliasMovesIgnored: 1 } };
  const applied = apply({ deployment, requestId, document: JSON.stringify(after), actor }, current, place.timeMs);
  const memory = remembered(answered, place, state);
  const { setTimers } = memory;
  if (applied.refused !== undefined) {
    const reason = `models:/${model}@${alias} is not followed to version ${modelVersion}: ${applied.refused}`;
    const data = { deployment, requestId, reason, actor };
    const refused: Output = { topic: 'deployment-events', type: 'deployment-refused', data, key: deployment };
    return { put: [[answered, 'refused'], memory.put], setTimers, emit: [refused], count: { followingRefused: 1 } };
  }
  return {
    ...applied,
    put: [[answered, 'accepted'], memory.put, ...(applied.put ?? [])],
    setTimers,
    count: { followed: 1 },
  };
}

function apply(request: DeployRequested, current: Current | undefined, timeMs: number): Decision {
  const { deployment, document, actor } = request;
  const problem = documentProblem(request);
  if (problem !== undefined) return { refused: problem };
  const version = (current?.version ?? 0) + 1;
  return {
    put: [[currentKey(deployment), currentOf(version, document)]],
    emit: [
      {
        topic: 'deployments',
        type: 'deployment-row',
        data: { deployment, version, document, actor, appliedAt: timeMs },
        key: deployment,
      },
      { topic: 'deployment-events', type: 'deployment-applied', data: { ...request, version }, key: deployment },
      trafficConfigured(deployment, version, document),
      detectorsConfigured(deployment, version, document),
      boundsConfigured(deployment, version, document),
    ],
  };
}

function remove(request: RemovalRequested, current: Current | undefined): Decision {
  const { deployment, actor } = request;
  if (current === undefined || current.removed) return { refused: `there is no deployment '${deployment}'` };
  const { version } = current;
  return {
    put: [[currentKey(deployment), { version, removed: true } satisfies Current]],
    emit: [
      {
        topic: 'deployments',
        type: 'deployment-row',
        data: { deployment, version, document: '', actor, appliedAt: 0 },
        key: deployment,
        tombstone: true,
      },
      { topic: 'deployment-events', type: 'deployment-removed', data: { ...request, version }, key: deployment },
      trafficConfigured(deployment, version, ''),
      detectorsConfigured(deployment, version, ''),
      boundsConfigured(deployment, version, ''),
    ],
  };
}

/** For the topology that owns the weights; '' when the deployment is gone. */
function trafficConfigured(deployment: string, deploymentVersion: number, document: string): Output {
  const data = { deployment, deploymentVersion, settings: document === '' ? '' : settingsOf(document) };
  return { topic: 'route-evidence', type: 'traffic-configured', data, key: deployment };
}

/** For the topology that owns the alarms of drift. */
function detectorsConfigured(deployment: string, deploymentVersion: number, document: string): Output {
  const all = document === '' ? [] : detectorsOf(JSON.parse(document) as DeploymentDocument);
  const detectors = all.filter(({ method }) => methodOf(method).finds === 'drift').map(({ name }) => name);
  return {
    topic: 'drift',
    type: 'detectors-configured',
    data: { deployment, deploymentVersion, detectors },
    key: deployment,
  };
}

/** For the topology that owns the alerts on quality. */
function boundsConfigured(deployment: string, deploymentVersion: number, document: string): Output {
  const alerts = document === '' ? [] : ((JSON.parse(document) as DeploymentDocument).monitors.alerts ?? []);
  const data = { deployment, deploymentVersion, bounds: alerts.map(({ name }) => name) };
  return { topic: 'quality', type: 'bounds-configured', data, key: deployment };
}

function settingsOf(document: string): string {
  const { routes, traffic } = JSON.parse(document) as DeploymentDocument;
  const settings: SteeringSettings = {
    routes: routes.map((route) => ({
      name: route.name,
      weight: route.weight,
      shadow: route.shadow,
      ...servedBy(route),
    })),
    traffic,
  };
  return JSON.stringify(settings);
}

function servedBy(route: DeploymentRoute): Pick<SharedRoute, 'serves'> {
  return route.graph === undefined ? { serves: { model: route.model, version: route.modelVersion } } : {};
}

function currentOf(version: number, document: string): Current {
  const { follow: follows } = JSON.parse(document) as DeploymentDocument;
  return { version, removed: false, ...(follows === true ? { following: document } : {}) };
}

function documentProblem({ deployment, document }: DeployRequested): string | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(document);
  } catch {
    return `document must be JSON, got ${JSON.stringify(document.slice(0, 40))}`;
  }
  const problems = deploymentProblems(parsed);
  if (problems.length > 0) return problems.join('; ');
  const { name } = parsed as DeploymentDocument;
  return name === deployment ? undefined : `document.name must be '${deployment}', got '${name}'`;
}

function deploymentNameProblem(name: string): string | undefined {
  return /^[a-z0-9][a-z0-9-]{0,62}$/.test(name)
    ? undefined
    : `deployment must be 1 to 63 lower-case letters, digits or '-', not beginning with '-', got '${name.slice(0, 70)}'`;
}

const currentKey = (deployment: string): string => stateKey('deployment', deployment);
