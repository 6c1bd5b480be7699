/**
 * Model versions and aliases. Versions of a model are dense integers from 1. A request that comes again (same model and requestId)
 * changes nothing and says nothing: its answer, the fact with that requestId, is on the topic already.
 */
import type { Effects, InputEvent, Output, StateView, Topology } from '../runtime/engine/topology.ts';
import { nothing } from '../runtime/engine/topology.ts';
import { attachedProblem } from '../schemas/attached.ts';
import type { AliasRequested, VersionRequested } from '../schemas/events.ts';
import { aliasProblem, modelProblem } from '../schemas/codec/model-names.ts';
import { type Decision, decideOnce, decisionKey, forgetDecisions, memoryKey } from './decision-request.ts';
import { signatureTag } from './registry/alias-rules.ts';
import { moveAlias } from './registry/aliases.ts';
import { editModel, editReads, modelOf, versionsMax } from './registry/edits.ts';
import { type ModelState, row, type VersionFacts } from './registry/rows.ts';
import { aboutKey, holderKey, modelKey, versionKey, versionPrefix, waitingPrefix } from './registry/keys.ts';
import { letGo, take, waitForRename, waitingMax } from './registry/renames.ts';

export const registry: Topology<'registry'> = {
  name: 'registry',
  version: 4,
  input: 'registry',
  outputs: ['registry', 'models'],
  summary: 'gives each model version its number, moves aliases, keeps the table of model versions',

  reads(event) {
    if (event.type === 'version-requested') {
      const { model, requestId, alias } = event.data;
      return {
        keys: [
          decisionKey(model, requestId),
          memoryKey(event),
          modelKey(model),
          ...(alias === null ? [] : [holderKey(model, alias)]),
        ],
      };
    }
    if (event.type === 'alias-requested') {
      const { model, requestId, alias, version } = event.data;
      return {
        keys: [
          decisionKey(model, requestId),
          memoryKey(event),
          modelKey(model),
          holderKey(model, alias),
          versionKey(model, version),
        ],
      };
    }
    if (event.type === 'edit-requested') {
      const { keys = [], ...rest } = editReads(event.data);
      return { ...rest, keys: [...keys, memoryKey(event)] };
    }
    if (event.type === 'rename-offered') return { keys: [modelKey(event.data.to)] };
    if (event.type === 'rename-answered') {
      const { model } = event.data;
      return {
        keys: [modelKey(model), aboutKey(model)],
        ranges: [
          { prefix: versionPrefix(model), limit: versionsMax },
          { prefix: waitingPrefix(model), limit: waitingMax },
        ],
      };
    }
    return {};
  },

  fold(event, state) {
    switch (event.type) {
      case 'version-requested':
        return answer(event, state, () => registerVersion(event.data, state, event.timeMs));
      case 'alias-requested':
        return answer(event, state, () => requestedAlias(event.data, state));
      case 'edit-requested':
        return answer(event, state, () => editModel(event.data, state));
      case 'rename-offered':
        return take(event.data, state);
      case 'rename-answered':
        return letGo(event.data, state);
      default:
        return nothing;
    }
  },

  onTimer: (timer, state) => forgetDecisions(timer, state) ?? nothing,
};

type Request = Extract<
  InputEvent<'registry'>,
  { readonly type: 'version-requested' | 'alias-requested' | 'edit-requested' }
>;

/** Answers a request about a model by the fact that it deserves. */
function answer(request: Request, state: StateView, decide: () => Decision & { readonly code?: string }): Effects {
  const { model, requestId, actor } = request.data;
  const refusal = (reason: string, code: string): Output => ({
    topic: 'registry',
    type: 'registry-refused',
    data: { model, requestId, reason, actor, code },
    key: model,
  });
  const known = state.get<ModelState>(modelKey(model));
  if (known?.moving !== undefined && state.get(decisionKey(model, requestId)) === undefined) {
    return waitForRename(askedOf(request), known, (reason) => refusal(reason, 'UNAVAILABLE'));
  }
  let code = 'INVALID_ARGUMENT';
  const decision = (): Decision => {
    const decided = decide();
    if (decided.code !== undefined) code = decided.code;
    return decided;
  };
  const asked = { subject: model, requestId, nameProblem: modelProblem(model), place: request };
  return decideOnce(asked, state, decision, (reason) => refusal(reason, code));
}

function askedOf({ type, data }: Request): Output {
  return { topic: 'registry', type, data, key: data.model } as Output;
}

function registerVersion(request: VersionRequested, state: StateView, timeMs: number): Decision {
  const { model, alias, requestId, number = null, ...said } = request;
  const { [signatureTag]: signature, ...tags } = request.tags;
  // A task knows no MLmodel file: what it says of a signature, its author has written.
  const facts = request.taskId === null || signature === undefined ? said : { ...said, tags };
  const problem = alias === null ? undefined : aliasProblem(alias);
  if (problem !== undefined) return { refused: problem };
  if (!/^[0-9a-f]{64}$/.test(request.artifact.hash)) {
    return {
      refused: `artifact.hash must be a sha256 of 64 hex characters, got '${request.artifact.hash.slice(0, 80)}'`,
    };
  }
  const attached = attachedProblem(request.tags);
  if (attached !== undefined) return { refused: attached };
  const known = modelOf(state, model);
  if (number !== null && number <= known.latest) {
    return { refused: `versions of model '${model}' go up to ${known.latest}: number ${number} is not given any more` };
  }
  const version = number ?? known.latest + 1;
  const added: VersionFacts = { model, version, ...facts, registeredAt: timeMs };
  const registered: Output = {
    topic: 'registry',
    type: 'version-registered',
    data: { model, version, requestId, ...facts },
    key: model,
  };
  const numbered: ModelState = { ...known, gone: false, latest: version };
  if (alias === null) {
    return {
      put: [
        [modelKey(model), numbered],
        [versionKey(model, version), added],
      ],
      emit: [row(added, numbered), registered],
    };
  }
  const moved = moveAlias(added, alias, numbered, state, { requestId, actor: request.actor });
  // A rule of the alias is no reason to lose the version.
  const kept: Decision =
    moved.refused === undefined ? moved : { put: [[modelKey(model), numbered]], emit: [row(added, numbered)] };
  if (moved.refused !== undefined && moved.code !== 'FORBIDDEN') return moved;
  return {
    put: [[versionKey(model, version), added], ...(kept.put ?? [])],
    // A proposal answers who asked for the alias; here the version is the answer.
    emit: [registered, ...(kept.emit ?? []).filter((output) => !refuses(output, requestId))],
  };
}

function refuses({ type, data }: Output, requestId: string): boolean {
  return type === 'registry-refused' && data.requestId === requestId;
}

function requestedAlias(request: AliasRequested, state: StateView): Decision & { readonly code?: string } {
  const { model, alias, version } = request;
  const problem = aliasProblem(alias);
  if (problem !== undefined) return { refused: problem };
  const known = state.get<ModelState>(modelKey(model));
  if (known === undefined || known.gone === true)
    return { refused: `model '${model}' has no versions: register one first` };
  const target = state.get<VersionFacts>(versionKey(model, version));
  if (target === undefined || target.deleted === true)
    return { refused: `model '${model}' has versions 1 to ${known.latest}, not ${version}` };
  return moveAlias(target, alias, known, state, request);
}
