/**
 * Model versions and aliases. Versions of a model are dense integers from 1. A request that comes again (same model and requestId)
 * changes nothing and says nothing: its answer, the fact with that requestId, is on the topic already.
 */
import type { Effects, Output, StateView, Topology } from '../runtime/engine/topology.ts';
import { nothing } from '../runtime/engine/topology.ts';
import type { AliasRequested, EditRequested, VersionRequested } from '../schemas/events.ts';
import { type Decision, decideOnce, decisionKey } from './decision-request.ts';
import { moveAlias } from './registry/aliases.ts';
import { editModel, editReads, modelOf } from './registry/edits.ts';
import { type ModelState, row, type VersionFacts } from './registry/rows.ts';
import { holderKey, modelKey, versionKey } from './registry/keys.ts';

export const registry: Topology<'registry'> = {
  name: 'registry',
  version: 1,
  input: 'registry',
  outputs: ['registry', 'models'],
  summary: 'gives each model version its number, moves aliases, keeps the table of model versions',

  reads(event) {
    if (event.type === 'version-requested') {
      const { model, requestId, alias } = event.data;
      return {
        keys: [decisionKey(model, requestId), modelKey(model), ...(alias === null ? [] : [holderKey(model, alias)])],
      };
    }
    if (event.type === 'alias-requested') {
      const { model, requestId, alias, version } = event.data;
      return {
        keys: [decisionKey(model, requestId), modelKey(model), holderKey(model, alias), versionKey(model, version)],
      };
    }
    if (event.type === 'edit-requested') return editReads(event.data);
    return {};
  },

  fold(event, state) {
    if (event.type === 'version-requested') {
      return answer(event.data, state, () => registerVersion(event.data, state, event.timeMs));
    }
    if (event.type === 'alias-requested') return answer(event.data, state, () => requestedAlias(event.data, state));
    if (event.type === 'edit-requested') {
      return answer(event.data, state, () => editModel(event.data, state));
    }
    return nothing;
  },
};

/** Answers a request about a model by the fact that it deserves. */
function answer(
  { model, requestId, actor }: VersionRequested | AliasRequested | EditRequested,
  state: StateView,
  decide: () => Decision & { readonly code?: string },
): Effects {
  let code = 'INVALID_ARGUMENT';
  const decision = (): Decision => {
    const decided = decide();
    if (decided.code !== undefined) code = decided.code;
    return decided;
  };
  return decideOnce({ subject: model, requestId, nameProblem: modelProblem(model) }, state, decision, (reason) => ({
    topic: 'registry',
    type: 'registry-refused',
    data: { model, requestId, reason, actor, code },
    key: model,
  }));
}

function registerVersion(request: VersionRequested, state: StateView, timeMs: number): Decision {
  const { model, alias, requestId, number = null, ...facts } = request;
  const problem = alias === null ? undefined : aliasProblem(alias);
  if (problem !== undefined) return { refused: problem };
  if (!/^[0-9a-f]{64}$/.test(request.artifact.hash)) {
    return {
      refused: `artifact.hash must be a sha256 of 64 hex characters, got '${request.artifact.hash.slice(0, 80)}'`,
    };
  }
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
    emit: [registered, ...(kept.emit ?? []).filter(({ type }) => type !== 'registry-refused')],
  };
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

function modelProblem(model: string): string | undefined {
  return /^[A-Za-z0-9][A-Za-z0-9._ ()+-]{0,127}$/.test(model)
    ? undefined
    : `model must be 1 to 128 letters, digits, spaces or any of . _ - + ( ), beginning with a letter or digit, got '${model.slice(0, 130)}'`;
}

function aliasProblem(alias: string): string | undefined {
  if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,254}$/.test(alias) || alias === 'latest' || /^v\d+$/.test(alias)) {
    return `alias must be 1 to 255 letters, digits, '.', '_' or '-', beginning with none of '.' and '-', and neither 'latest' nor like 'v1', got '${alias.slice(0, 70)}'`;
  }
  return undefined;
}
