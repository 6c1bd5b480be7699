/**
 * Deployments: each accepted document is a new version, numbered from 1 without holes, also across removals. A request that comes
 * again (same deployment and requestId) changes nothing: its answer is on the topic already.
 */
import { nothing, type Output, type Topology } from '../runtime/engine/topology.ts';
import type { DeploymentDocument } from '../schemas/deployment-document.ts';
import { deploymentProblems } from '../schemas/deployment-problems.ts';
import type { DeployRequested, RemovalRequested } from '../schemas/events.ts';
import type { SteeringSettings } from '../schemas/traffic.ts';
import { type Decision, decideOnce, decisionKey, stateKey } from './decision-request.ts';

export const deployments: Topology<'deployment-events'> = {
  name: 'deployments',
  version: 1,
  input: 'deployment-events',
  outputs: ['deployment-events', 'deployments', 'route-evidence'],
  summary: 'checks deployment documents, numbers their versions, keeps the table of current deployments',

  reads(event) {
    if (event.type !== 'deploy-requested' && event.type !== 'removal-requested') return {};
    const { deployment, requestId } = event.data;
    return { keys: [decisionKey(deployment, requestId), currentKey(deployment)] };
  },

  fold(event, state) {
    if (event.type !== 'deploy-requested' && event.type !== 'removal-requested') return nothing;
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

interface Current {
  readonly version: number;
  readonly removed: boolean;
}

function apply(request: DeployRequested, current: Current | undefined, timeMs: number): Decision {
  const { deployment, document, actor } = request;
  const problem = documentProblem(request);
  if (problem !== undefined) return { refused: problem };
  const version = (current?.version ?? 0) + 1;
  return {
    put: [[currentKey(deployment), { version, removed: false } satisfies Current]],
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
