/**
 * Model versions and aliases. Versions of a model are dense integers from 1. A request that comes again (same model and requestId)
 * changes nothing and says nothing: its answer, the fact with that requestId, is on the topic already.
 */
import type { Effects, Output, StateView, Topology } from '../runtime/engine/topology.ts';
import { nothing } from '../runtime/engine/topology.ts';
import type { AliasRequested, EditRequested, VersionRequested } from '../schemas/events.ts';
import { type Decision, decideOnce, decisionKey } from './decision-request.ts';
import { editModel, editReads, type ModelState, modelOf, row, type VersionFacts } from './registry/edits.ts';
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
    if (event.type === 'alias-requested') return answer(event.data, state, () => moveAlias(event.data, state));
    if (event.type === 'edit-requested') {
      return answer(event.data, state, () => editModel(event.data, state));
    }
    return nothing;
  },
};

const aliasesMax = 100;

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
  const { model, alias, requestId, ...facts } = request;
  const problem = alias === null ? undefined : aliasProblem(alias);
  if (problem !== undefined) return { refused: problem };
  if (!/^[0-9a-f]{64}$/.test(request.artifact.hash)) {
    return {
      refused: `artifact.hash must be a sha256 of 64 hex characters, got '${request.artifact.hash.slice(0, 80)}'`,
    };
  }
  const known = modelOf(state, model);
  const version = known.latest + 1;
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
  const moved = moveTo(added, alias, numbered, state, { requestId, actor: request.actor });
  if (moved.refused !== undefined) return moved;
  return {
    put: [[versionKey(model, version), added], ...(moved.put ?? [])],
    emit: [registered, ...(moved.emit ?? [])],
  };
}

function moveAlias(request: AliasRequested, state: StateView): Decision {
  const { model, alias, version } = request;
  const problem = aliasProblem(alias);
  if (problem !== undefined) return { refused: problem };
  const known = state.get<ModelState>(modelKey(model));
  if (known === undefined || known.gone === true)
    return { refused: `model '${model}' has no versions: register one first` };
  const target = state.get<VersionFacts>(versionKey(model, version));
  if (target === undefined || target.deleted === true)
    return { refused: `model '${model}' has versions 1 to ${known.latest}, not ${version}` };
  return moveTo(target, alias, known, state, request);
}

/** Lets an alias name `target`: the fact, and the rows of both versions that it concerns. */
function moveTo(
  target: VersionFacts,
  alias: string,
  known: ModelState,
  state: StateView,
  by: { readonly requestId: string; readonly actor: string },
): Decision {
  const { model, version } = target;
  const holder = state.get<VersionFacts>(holderKey(model, alias));
  if (holder === undefined && Object.keys(known.aliases).length >= aliasesMax) {
    return { refused: `model '${model}' already has ${aliasesMax} aliases, the most it may have` };
  }
  const moved: ModelState = { ...known, aliases: { ...known.aliases, [alias]: version } };
  const data = { model, alias, version, previous: holder?.version ?? null, requestId: by.requestId, actor: by.actor };
  return {
    put: [
      [modelKey(model), moved],
      [holderKey(model, alias), target],
    ],
    emit: [
      ...(holder === undefined || holder.version === version ? [] : [row(holder, moved)]),
      row(target, moved),
      { topic: 'registry', type: 'alias-set', data, key: model },
    ],
  };
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
