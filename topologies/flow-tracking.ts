/**
 * Makes each run of a flow a tracked run of its flow's experiment: a stateless map. Its parameters and tags are those of the run; what
 * steps log is added by whoever logs it; how it goes is said here alone.
 */
import { type Effects, nothing, type Output, type Topology } from '../runtime/engine/topology.ts';
import type { RunRequested, RunTagsChanged } from '../schemas/events.ts';
import { experimentOfFlow } from '../schemas/flow-experiment.ts';
import type { FlowGraph } from '../schemas/flow-graph.ts';

export const flowTracking: Topology<'runs'> = {
  name: 'flow-tracking',
  version: 1,
  input: 'runs',
  outputs: ['tracking'],
  lingerMs: 10,
  summary: 'makes runs of flows tracked runs',

  fold(event): Effects {
    switch (event.type) {
      case 'run-requested':
        return begin(event.data, event.timeMs);
      case 'run-completed':
        return { emit: [changed(event.data.runId, 'FINISHED', event.timeMs)] };
      case 'run-failed':
        return { emit: [changed(event.data.runId, 'FAILED', event.timeMs)] };
      case 'run-cancelled':
        return { emit: [changed(event.data.runId, 'KILLED', event.timeMs, event.data.actor)] };
      case 'run-tags-changed':
        return retag(event.data);
      default:
        return nothing;
    }
  },
};

function begin(request: RunRequested, timeMs: number): Effects {
  const { runId, flow, version, actor, cause, tags, systemTags, resume = null } = request;
  // A run that goes on in its place is there already.
  if (resume?.runId === runId) return { emit: [changed(runId, 'RUNNING', null, actor)] };
  const experiment = experimentOfFlow(flow);
  const name = `${flow}-${runId.slice(-8)}`;
  const data = {
    runId,
    experimentId: experiment.id,
    name,
    userId: actor,
    status: 'RUNNING',
    artifactUri: `${experiment.artifactLocation}/${runId}/artifacts`,
    startTime: timeMs,
    tags: {
      ...asPairs([...systemTags, ...tags]),
      'mlflow.runName': name,
      'mlflow.user': actor,
      ...sourceTags(flow, request.graph),
      'millrace.flow': flow,
      'millrace.flow.version': String(version),
      'millrace.bundle': request.bundleHash,
      'millrace.cause': cause.kind,
      ...(resume === null ? {} : { 'millrace.resumed': resume.runId }),
    },
    actor,
    flow,
  };
  const begun: Output = { topic: 'tracking', type: 'run-begun', key: runId, data };
  const params = textsOf(request.parameters);
  if (Object.keys(params).length === 0) return { emit: [begun], count: { begun: 1 } };
  return { emit: [begun, values(runId, experiment.id, { params }, actor)], count: { begun: 1 } };
}

/** By MLflow's names. A resumed run without a graph of its own has that of its origin. */
function sourceTags(flow: string, graph: string): Texts {
  const { source } = (graph === '' ? {} : JSON.parse(graph)) as Partial<FlowGraph>;
  const { name = flow, entryPoint, commit, branch, repository, dirty = false } = source ?? {};
  const tags: Readonly<Record<string, string | undefined>> = {
    'mlflow.source.name': name,
    'mlflow.source.type': entryPoint === undefined ? 'JOB' : 'PROJECT',
    'mlflow.project.entryPoint': entryPoint,
    'mlflow.project.backend': entryPoint === undefined ? undefined : 'local',
    'mlflow.source.git.commit': commit,
    'mlflow.source.git.branch': branch,
    'mlflow.source.git.repoURL': repository,
    'millrace.source.dirty': dirty ? 'true' : undefined,
  };
  return Object.fromEntries(Object.entries(tags).filter((pair): pair is [string, string] => pair[1] !== undefined));
}

function changed(runId: string, status: string, endTime: number | null, actor = 'millrace'): Output {
  const data = { runId, status, endTime, name: null, lifecycle: null, actor };
  return { topic: 'tracking', type: 'run-changed', key: runId, data };
}

function retag({ runId, added, removed, actor }: RunTagsChanged): Effects {
  const gone = Object.keys(asPairs(removed));
  return { emit: [values(runId, '', { tags: asPairs(added), removedTags: gone }, actor)] };
}

function values(
  runId: string,
  experimentId: string,
  given: { readonly params?: Texts; readonly tags?: Texts; readonly removedTags?: string[] },
  actor: string,
): Output {
  const { params = {}, tags = {}, removedTags = [] } = given;
  const data = { runId, experimentId, metrics: [], params, tags, removedTags, actor };
  return { topic: 'tracking', type: 'values-logged', key: runId, data };
}

type Texts = Record<string, string>;

const valueMax = 6_000;

/** `env:test` is the tag `env` with the value `test`; one without a colon has no value. */
function asPairs(tags: readonly string[]): Texts {
  const pairs = tags.map((tag) => {
    const at = tag.indexOf(':');
    return at < 1 ? [tag, ''] : [tag.slice(0, at), tag.slice(at + 1)];
  });
  return Object.fromEntries(pairs) as Texts;
}

/** Parameters as texts, as MLflow keeps them: what is no text is JSON. */
function textsOf(parameters: string): Texts {
  const values = (parameters === '' ? {} : JSON.parse(parameters)) as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [
      key,
      (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, valueMax),
    ]),
  );
}
