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
import { type DeploymentDocument, mapModels } from '../schemas/deployment-document.ts';
import { deploymentProblems } from '../schemas/deployment-problems.ts';
import type { AliasMoved, DeployRequested, RemovalRequested } from '../schemas/events.ts';
import type { SteeringSettings } from '../schemas/traffic.ts';
import { type Decision, decideOnce, decisionKey, stateKey } from './decision-request.ts';

export const deployments: Topology<'deployment-events'> = {
  name: 'deployments',
  version: 1,
  input: 'deployment-events',
  outputs: ['deployment-events', 'deployments', 'route-evidence'],
  summary: 'checks deployment documents, numbers their versions, keeps the table of current deployments',

  reads(event) {
    if (!isRequest(event)) return {};
    const { deployment, requestId } = event.data;
    return { keys: [decisionKey(deployment, requestId), currentKey(deployment)] };
  },

  fold(event, state) {
    if (!isRequest(event)) return nothing;
    if (event.type === 'alias-moved') return follow(event.data, state, event.timeMs);
    const { deployment, requestId, actor } = event.data;
    const current = state.get<Current>(currentKey(deployment));
    return decideOnce(
      { subject: deployment, requestId, nameProblem: deploymentNameProblem(deployment) },
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

/** What others pinned by an alias is pinned anew. Whoever does not follow, or has that version, is left as it is. */
function follow(
  { deployment, model, alias, modelVersion, artifactHash, requestId, actor }: AliasMoved,
  state: StateView,
  timeMs: number,
): Effects {
  const current = state.get<Current>(currentKey(deployment));
  const answered = decisionKey(deployment, requestId);
  if (current?.following === undefined || current.removed || state.get(answered) !== undefined)
    return { count: { aliasMovesIgnored: 1 } };
  const before = JSON.parse(current.following) as DeploymentDocument;
  const after = mapModels(before, (pin) =>
    pin.model === model && pin.alias === alias && pin.modelVersion !== modelVersion
      ? { ...pin, modelVersion, artifactHash }
      : pin,
  );
  if (after === before) return { count: { aliasMovesIgnored: 1 } };
  const applied = apply({ deployment, requestId, document: JSON.stringify(after), actor }, current, timeMs);
  if (applied.refused !== undefined) return { count: { aliasMovesIgnored: 1 } };
  return { ...applied, put: [[answered, 'accepted'], ...(applied.put ?? [])], count: { followed: 1 } };
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
    ],
  };
}

/** For the topology that owns the weights; '' when the deployment is gone. */
function trafficConfigured(deployment: string, deploymentVersion: number, document: string): Output {
  const data = { deployment, deploymentVersion, settings: document === '' ? '' : settingsOf(document) };
  return { topic: 'route-evidence', type: 'traffic-configured', data, key: deployment };
}

function settingsOf(document: string): string {
  const { routes, traffic } = JSON.parse(document) as DeploymentDocument;
  const settings: SteeringSettings = {
    routes: routes.map(({ name, weight, shadow }) => ({ name, weight, shadow })),
    traffic,
  };
  return JSON.stringify(settings);
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
