/**
 * Experiments of tracked runs. A name belongs to one experiment, also while that one is deleted, so all of them lie in one partition and
 * whoever asks for a name first has it. A request that comes again (same experiment and requestId) changes nothing and says nothing.
 */
import { hash } from 'node:crypto';
import type { Output, StateView, Topology } from '../runtime/engine/topology.ts';
import { nothing } from '../runtime/engine/topology.ts';
import type { ExperimentChangeRequested, ExperimentRequested } from '../schemas/events.ts';
import { type Decision, decideOnce, decisionKey, stateKey } from './decision-request.ts';

interface Known {
  readonly name: string;
  readonly lifecycle: 'active' | 'deleted';
}

type Request = ExperimentRequested | ExperimentChangeRequested;

export const experimentNames: Topology<'experiments'> = {
  name: 'experiment-names',
  version: 2,
  input: 'experiments',
  outputs: ['experiments'],
  summary: 'makes and changes experiments of tracked runs, and gives each name once',

  reads(event) {
    if (event.type !== 'experiment-requested' && event.type !== 'experiment-change-requested') return {};
    const { experimentId, requestId } = event.data;
    const name = event.type === 'experiment-requested' ? event.data.name : event.data.value;
    return { keys: [decisionKey(experimentId, requestId), experimentKey(experimentId), nameKey(name)] };
  },

  fold(event, state) {
    if (event.type === 'experiment-requested') return answer(event.data, state, () => make(event.data, state));
    if (event.type === 'experiment-change-requested') return answer(event.data, state, () => change(event.data, state));
    return nothing;
  },
};

function answer({ experimentId, requestId, actor }: Request, state: StateView, decide: () => Decided) {
  let code = 'INVALID_ARGUMENT';
  const decision = (): Decision => {
    const decided = decide();
    if (decided.code !== undefined) code = decided.code;
    return decided;
  };
  const request = { subject: experimentId, requestId, nameProblem: idProblem(experimentId) };
  return decideOnce(request, state, decision, (reason) => ({
    topic: 'experiments',
    type: 'experiment-refused',
    data: { experimentId, requestId, code, reason, actor },
    key: experimentId,
  }));
}

type Decided = Decision & { readonly code?: string };

function make(request: ExperimentRequested, state: StateView): Decided {
  const { experimentId, name } = request;
  const taken = nameTaken(name, state) ?? (state.get(experimentKey(experimentId)) === undefined ? undefined : idTaken);
  if (taken !== undefined) return taken;
  return {
    put: [
      [experimentKey(experimentId), { name, lifecycle: 'active' } satisfies Known],
      [nameKey(name), experimentId],
    ],
    emit: [{ topic: 'experiments', type: 'experiment-created', data: request, key: experimentId }],
  };
}

function change(request: ExperimentChangeRequested, state: StateView): Decided {
  const { experimentId, change: what, value } = request;
  const known = state.get<Known>(experimentKey(experimentId));
  if (known === undefined) return { code: 'NOT_FOUND', refused: `there is no experiment '${experimentId}'` };
  const fact: Output = { topic: 'experiments', type: 'experiment-changed', data: request, key: experimentId };
  const becomes = (next: Known): Decided => ({ put: [[experimentKey(experimentId), next]], emit: [fact] });
  if (what === 'delete' || what === 'restore') {
    const needed = what === 'delete' ? 'active' : 'deleted';
    if (known.lifecycle !== needed) {
      const only = needed === 'active' ? 'an active' : 'a deleted';
      const refused = `experiment '${experimentId}' is ${known.lifecycle}; only ${only} one can be ${what}d`;
      return { code: 'NOT_FOUND', refused };
    }
    return becomes({ ...known, lifecycle: what === 'delete' ? 'deleted' : 'active' });
  }
  if (known.lifecycle === 'deleted') return { refused: `experiment '${experimentId}' is deleted: restore it first` };
  if (what === 'set-tag' || what === 'delete-tag') return { emit: [fact] };
  if (what !== 'rename') return { refused: `an experiment knows no change '${what.slice(0, 40)}'` };
  if (value === known.name) return { emit: [fact] };
  return (
    nameTaken(value, state) ?? {
      put: [
        [experimentKey(experimentId), { ...known, name: value }],
        [nameKey(value), experimentId],
      ],
      delete: [nameKey(known.name)],
      emit: [fact],
    }
  );
}

const idTaken: Decided = { code: 'CONFLICT', refused: 'an experiment with this id exists' };

function nameTaken(name: string, state: StateView): Decided | undefined {
  if (name === '' || name.length > 500) return { refused: 'the name of an experiment must have 1 to 500 characters' };
  const holder = state.get<string>(nameKey(name));
  if (holder === undefined) return undefined;
  return { code: 'CONFLICT', refused: `Experiment '${name}' already exists, with the id ${holder}` };
}

function idProblem(id: string): string | undefined {
  return /^\d{1,18}$/.test(id) ? undefined : `an experiment's id must be 1 to 18 digits, got '${id.slice(0, 40)}'`;
}

const experimentKey = (id: string): string => stateKey('experiment', id);
/** Of any length and script: two names must not meet where a key is cut. */
const nameKey = (name: string): string => stateKey('name', hash('sha256', name, 'hex'));
