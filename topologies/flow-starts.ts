/**
 * Flow versions, and runs of them. Versions of a flow are dense integers from 1; a start becomes one run whose id follows from its
 * request. A request that comes again (same flow and requestId) changes nothing and says nothing: its answer is on the log already.
 */
import { nothing, type StateView, type Topology } from '../runtime/engine/topology.ts';
import { derivedId } from '../schemas/derived-ids.ts';
import type { Cause, FlowDeployRequested, StartRequested } from '../schemas/events.ts';
import { type FlowGraph, nameProblem, parseFlowGraph } from '../schemas/flow-graph.ts';
import { resolveParameters } from '../schemas/flow-parameters.ts';
import { triggerProblems } from '../schemas/flow-triggers.ts';
import { type Decision, decideOnce, decisionKey, stateKey } from './decision-request.ts';

export const flowStarts: Topology<'starts'> = {
  name: 'flow-starts',
  version: 1,
  input: 'starts',
  outputs: ['starts', 'flows', 'runs'],
  summary: 'gives each flow version its number, keeps the table of flows, makes one run of each start',

  reads(event) {
    if (event.type !== 'flow-deploy-requested' && event.type !== 'start-requested') return {};
    const { flow, requestId } = event.data;
    return { keys: [decisionKey(flow, requestId), versionKey(flow)] };
  },

  fold(event, state) {
    if (event.type !== 'flow-deploy-requested' && event.type !== 'start-requested') return nothing;
    const { data, timeMs } = event;
    const { flow, requestId } = data;
    const cause: Cause = 'cause' in data ? data.cause : { kind: 'deploy', id: requestId, position: null };
    return decideOnce(
      { subject: flow, requestId, nameProblem: nameProblem('flow', flow) },
      state,
      () => (event.type === 'start-requested' ? startRun(event.data, timeMs) : deploy(event.data, state, timeMs)),
      (reason) => ({ topic: 'starts', type: 'start-refused', key: flow, data: { flow, requestId, reason, cause } }),
    );
  },
};

function deploy(request: FlowDeployRequested, state: StateView, timeMs: number): Decision {
  const { flow, requestId, bundleHash, graph, triggers, actor } = request;
  const parsed = graphFor(flow, graph);
  if (parsed.problems !== undefined) return { refused: parsed.problems.join('; ') };
  const problems = triggerProblems(jsonOf(triggers), Object.keys(parsed.graph.parameters));
  if (problems.length > 0) return { refused: problems.join('; ') };
  if (!isHash(bundleHash))
    return { refused: `bundleHash must be a sha256 of 64 hex characters, got '${bundleHash.slice(0, 80)}'` };
  const version = (state.get<number>(versionKey(flow)) ?? 0) + 1;
  return {
    put: [[versionKey(flow), version]],
    emit: [
      {
        topic: 'flows',
        type: 'flow-row',
        key: flow,
        partition: 0,
        data: { flow, version, bundleHash, graph, triggers, actor, deployedAt: timeMs },
      },
      { topic: 'starts', type: 'flow-deployed', key: flow, data: { flow, version, requestId, bundleHash, actor } },
    ],
  };
}

function startRun(request: StartRequested, timeMs: number): Decision {
  const { flow, version, requestId, bundleHash, graph, cause, actor } = request;
  const parsed = graphFor(flow, graph);
  if (parsed.problems !== undefined) return { refused: parsed.problems.join('; ') };
  if (!isHash(bundleHash))
    return { refused: `bundleHash must be a sha256 of 64 hex characters, got '${bundleHash.slice(0, 80)}'` };
  const given = jsonOf(request.parameters);
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return { refused: 'the parameters must be a JSON object' };
  const resolved = resolveParameters(parsed.graph.parameters, given as Readonly<Record<string, unknown>>);
  if (resolved.problems !== undefined) return { refused: resolved.problems.join('; ') };
  const runId = derivedId(timeMs, 'run', flow, requestId);
  const parameters = JSON.stringify(resolved.values);
  return {
    emit: [
      {
        topic: 'runs',
        type: 'run-requested',
        key: runId,
        data: { runId, flow, version, bundleHash, graph, parameters, tags: [], cause, actor },
      },
    ],
  };
}

function graphFor(
  flow: string,
  text: string,
): { readonly graph: FlowGraph; readonly problems?: undefined } | { readonly problems: readonly string[] } {
  const parsed = parseFlowGraph(text);
  if (parsed.problems !== undefined) return parsed;
  if (parsed.graph.name !== flow)
    return { problems: [`the graph is of flow '${parsed.graph.name}', not of '${flow}'`] };
  return parsed;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

const isHash = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);
const versionKey = (flow: string): string => stateKey('version', flow);
