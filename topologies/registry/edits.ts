/**
 * What people change of a model and its versions once they are there: descriptions, tags, stages, and what is taken away. Numbers of
 * versions that were deleted are not given again, so that what was in production at any time stays clear.
 */
import type { Effects, Reads, StateView } from '../../runtime/engine/topology.ts';
import { attachedProblem } from '../../schemas/attached.ts';
import type { EditRequested } from '../../schemas/events.ts';
import { type Decision, decisionKey } from '../decision-request.ts';
import { editAliasRule } from './aliases.ts';
import { heldByRules, signatureTag } from './alias-rules.ts';
import { aboutKey, holderKey, holderPrefix, modelKey, versionKey, versionPrefix } from './keys.ts';
import { offer } from './renames.ts';
import { isStage, stageProblem } from './stages.ts';
import {
  type About,
  edited,
  forgotten,
  goes,
  type ModelState,
  row,
  stagedOf,
  type VersionFacts,
  versionsOf,
} from './rows.ts';

type CodedDecision = Decision & { readonly code?: string };

/** Of one model. */
export const versionsMax = 100_000;
const aliasesMax = 100;

export function modelOf(state: StateView, model: string): ModelState {
  return state.get<ModelState>(modelKey(model)) ?? { latest: 0, aliases: {} };
}

export function editReads({ model, requestId, edit, version, archive, key }: EditRequested): Reads {
  const keys = [decisionKey(model, requestId), modelKey(model)];
  if (version !== null) keys.push(versionKey(model, version));
  if (edit === 'approve') keys.push(holderKey(model, key));
  if (version === null) keys.push(aboutKey(model));
  const ranges = [{ prefix: holderPrefix(model), limit: aliasesMax }];
  if (archive || (version === null && (edit === 'delete' || edit === 'rename'))) {
    ranges.push({ prefix: versionPrefix(model), limit: versionsMax });
  }
  return { keys, ranges };
}

export function editModel(request: EditRequested, state: StateView): CodedDecision {
  const known = state.get<ModelState>(modelKey(request.model));
  if (request.edit === 'create') return create(request, known);
  if (known === undefined || known.gone === true) return missing(`there is no model '${request.model}'`);
  if (request.edit === 'remove-alias') return removeAlias(request, known, state);
  if (['protect', 'approve', 'reject'].includes(request.edit)) return editAliasRule(request, known, state);
  if (request.version === null) return editWhole(request, known, state);
  const facts = state.get<VersionFacts>(versionKey(request.model, request.version));
  if (facts === undefined || facts.deleted === true) {
    return missing(`model '${request.model}' has no version ${request.version}`);
  }
  return editVersion(request, facts, known, state);
}

function create(request: EditRequested, known: ModelState | undefined): CodedDecision {
  const { model, value, tags } = request;
  if (known !== undefined && known.gone !== true) {
    return { code: 'CONFLICT', refused: `Registered Model (name=${model}) already exists.` };
  }
  const next = { latest: known?.latest ?? 0, aliases: {} } satisfies ModelState;
  const about: About = { description: value, tags };
  return {
    put: [
      [modelKey(model), next],
      [aboutKey(model), about],
    ],
    emit: [edited(request)],
  };
}

function editWhole(request: EditRequested, known: ModelState, state: StateView): CodedDecision {
  const { model, edit, key, value } = request;
  const about = state.get<About>(aboutKey(model)) ?? { description: '', tags: {} };
  const { [key]: _, ...others } = about.tags;
  const becomes = (next: About): CodedDecision => ({ put: [[aboutKey(model), next]], emit: [edited(request)] });
  switch (edit) {
    case 'describe':
      return becomes({ ...about, description: value });
    case 'tag':
      return becomes({ ...about, tags: { ...others, [key]: value } });
    case 'untag':
      return becomes({ ...about, tags: others });
    case 'rename':
      return heldByRules(model, known.rules, 'renamed') ?? offer(request, known, state);
    case 'delete': {
      const held = heldByRules(model, known.rules, 'deleted');
      if (held !== undefined) return held;
      const versions = versionsOf(state, model).filter(({ deleted }) => deleted !== true);
      return {
        put: [
          [modelKey(model), { latest: known.latest, aliases: {}, gone: true } satisfies ModelState],
          ...versions.map((facts) => [versionKey(model, facts.version), { ...facts, deleted: true }] as const),
        ],
        delete: [aboutKey(model), ...Object.keys(known.aliases).map((alias) => holderKey(model, alias))],
        emit: [...versions.map(forgotten), edited(request, goes(known, about.tags, versions))],
      };
    }
    default:
      return { refused: `a model knows no change '${edit.slice(0, 40)}'` };
  }
}

function removeAlias(request: EditRequested, known: ModelState, state: StateView): CodedDecision {
  const { model, key: alias } = request;
  const holder = holdersOf(state, model).get(alias);
  // As MLflow has it: taking away what is not there is no fault.
  if (holder === undefined) return { emit: [edited(request)] };
  const held = heldByRules(model, known.rules, 'left without it', [alias]);
  if (held !== undefined) return held;
  const { [alias]: _, ...aliases } = known.aliases;
  const next: ModelState = { ...known, aliases };
  return {
    put: [[modelKey(model), next]],
    delete: [holderKey(model, alias)],
    emit: [row(holder, next), edited(request, { versions: [holder.version] })],
  };
}

function editVersion(request: EditRequested, facts: VersionFacts, known: ModelState, state: StateView): CodedDecision {
  const { model, edit, key, value } = request;
  if ((edit === 'tag' || edit === 'untag') && key === signatureTag) {
    return {
      code: 'FORBIDDEN',
      refused: `tag '${signatureTag}' says what the MLmodel file says: register a version with another file instead`,
    };
  }
  switch (edit) {
    case 'describe':
      return changed([{ ...facts, description: value }], known, state, request);
    case 'tag': {
      const problem = attachedProblem({ [key]: value });
      if (problem !== undefined) return { refused: problem };
      return changed([{ ...facts, tags: { ...facts.tags, [key]: value } }], known, state, request);
    }
    case 'untag': {
      const { [key]: _, ...tags } = facts.tags;
      return changed([{ ...facts, tags }], known, state, request);
    }
    case 'stage': {
      if (!isStage(value)) return { refused: stageProblem(value) };
      const others = request.archive
        ? versionsOf(state, model)
            .filter((other) => other.version !== facts.version && other.stage === value && other.deleted !== true)
            .map((other): VersionFacts => ({ ...other, stage: 'Archived' }))
        : [];
      return changed([{ ...facts, stage: value }, ...others], known, state, request);
    }
    case 'delete': {
      const names = Object.keys(known.aliases).filter((alias) => known.aliases[alias] === facts.version);
      const held = heldByRules(model, known.rules, `left without version ${facts.version}`, names);
      if (held !== undefined) return held;
      const aliases = Object.fromEntries(Object.entries(known.aliases).filter(([alias]) => !names.includes(alias)));
      return {
        put: [
          [modelKey(model), { ...known, aliases } satisfies ModelState],
          [versionKey(model, facts.version), { ...facts, deleted: true }],
        ],
        delete: names.map((alias) => holderKey(model, alias)),
        emit: [forgotten(facts), edited(request, { keys: names, staged: stagedOf([facts]) })],
      };
    }
    default:
      return { refused: `a version knows no change '${edit.slice(0, 40)}'` };
  }
}

/** Writes versions, with the copies that aliases hold of them; the first is the one that was asked for. */
function changed(
  versions: readonly VersionFacts[],
  known: ModelState,
  state: StateView,
  request: EditRequested,
): Effects {
  const { model } = request;
  const aliases = [...holdersOf(state, model).keys()];
  return {
    put: versions.flatMap((facts) => [
      [versionKey(model, facts.version), facts] as const,
      ...aliases
        .filter((alias) => known.aliases[alias] === facts.version)
        .map((alias) => [holderKey(model, alias), facts] as const),
    ]),
    emit: [
      ...versions.map((facts) => row(facts, known)),
      edited(request, { versions: versions.slice(1).map(({ version }) => version) }),
    ],
  };
}

function holdersOf(state: StateView, model: string): ReadonlyMap<string, VersionFacts> {
  const prefix = holderPrefix(model);
  return new Map(
    state.range<VersionFacts>(prefix).map(([key, facts]) => [decodeURIComponent(key.slice(prefix.length)), facts]),
  );
}

const missing = (refused: string): CodedDecision => ({ code: 'NOT_FOUND', refused });
