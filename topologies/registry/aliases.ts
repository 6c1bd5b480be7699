/** Moves of aliases: at once where no rule stands against it, else once somebody else has approved. */
import type { Output, StateView } from '../../runtime/engine/topology.ts';
import type { Edited, EditRequested } from '../../schemas/events.ts';
import { aliasProblem } from '../../schemas/codec/model-names.ts';
import type { Decision } from '../decision-request.ts';
import { type AliasRule, brokenChecks, parseRule } from './alias-rules.ts';
import { holderKey, modelKey, versionKey } from './keys.ts';
import { type ModelState, type Proposal, row, type VersionFacts } from './rows.ts';

const aliasesMax = 100;

export interface Asking {
  readonly requestId: string;
  readonly actor: string;
}

type CodedDecision = Decision & { readonly code?: string };

/** Lets an alias name `target`, or proposes it, or refuses it, as its rule says. */
export function moveAlias(
  target: VersionFacts,
  alias: string,
  known: ModelState,
  state: StateView,
  by: Asking,
): CodedDecision {
  const rule = ruleOf(known, alias);
  if (rule === undefined) return moveTo(target, alias, known, state, by);
  const broken = brokenChecks(rule, target, state.get<VersionFacts>(holderKey(target.model, alias)));
  if (broken.length > 0) {
    return { code: 'FORBIDDEN', refused: `alias '${alias}' of '${target.model}' stays: ${broken.join('; ')}` };
  }
  if (rule.approval !== true) return moveTo(target, alias, known, state, by);
  return propose(target, alias, known, by);
}

/** The answer to who asked is a refusal that says what is waited for. */
function propose(target: VersionFacts, alias: string, known: ModelState, by: Asking): Decision {
  const { model, version } = target;
  const proposal: Proposal = { version, actor: by.actor, requestId: by.requestId };
  const before = known.proposals?.[alias];
  const next: ModelState = { ...known, proposals: { ...known.proposals, [alias]: proposal } };
  const reason = `alias '${alias}' of '${model}' needs a second person: version ${version} is proposed, and somebody else than ${by.actor} must approve it (\`millrace models approve ${model} ${alias} ${version}\`)`;
  return {
    put: [[modelKey(model), next]],
    emit: [
      row(target, known),
      {
        topic: 'registry',
        type: 'registry-refused',
        data: { model, requestId: by.requestId, reason, actor: by.actor, code: 'FORBIDDEN' },
        key: model,
      },
      editedAlias('propose', model, alias, version, by),
      ...cameToNothing(model, alias, before, `passed over: ${by.actor} has proposed version ${version} since`),
    ],
  };
}

/** A second answer to who had asked: what was waited for does not come. */
function cameToNothing(model: string, alias: string, proposal: Proposal | undefined, why: string): readonly Output[] {
  if (proposal?.requestId === undefined) return [];
  const { version, requestId, actor } = proposal;
  const reason = `alias '${alias}' of '${model}' stays: version ${version} was ${why}`;
  const data = { model, requestId, reason, actor, code: 'FORBIDDEN' };
  return [{ topic: 'registry', type: 'registry-refused', data, key: model }];
}

/** What is asked of rules and proposals. */
export function editAliasRule(request: EditRequested, known: ModelState, state: StateView): CodedDecision {
  const { model, key: alias, value, edit } = request;
  if (edit === 'protect') return protect(request, known);
  const proposal = known.proposals?.[alias];
  if (proposal === undefined || proposal.version !== request.version) {
    const has = proposal === undefined ? 'nothing is' : `version ${proposal.version} is`;
    return {
      code: 'NOT_FOUND',
      refused: `${has} proposed for alias '${alias}' of '${model}', not version ${request.version}`,
    };
  }
  const { [alias]: _, ...proposals } = known.proposals ?? {};
  const next: ModelState = { ...known, proposals };
  const said = editedAlias(edit, model, alias, proposal.version, request, value);
  if (edit === 'reject') {
    const why = `rejected by ${request.actor}${value === '' ? '' : `: ${value}`}`;
    return { put: [[modelKey(model), next]], emit: [said, ...cameToNothing(model, alias, proposal, why)] };
  }
  if (proposal.actor === request.actor) {
    return { code: 'FORBIDDEN', refused: `${request.actor} has proposed it: somebody else must approve it` };
  }
  const target = state.get<VersionFacts>(versionKey(model, proposal.version));
  if (target === undefined || target.deleted === true) {
    return { code: 'NOT_FOUND', refused: `model '${model}' has no version ${proposal.version} any more` };
  }
  // What it is compared with may have moved since.
  const broken = brokenChecks(ruleOf(known, alias) ?? {}, target, state.get<VersionFacts>(holderKey(model, alias)));
  if (broken.length > 0)
    return { code: 'FORBIDDEN', refused: `alias '${alias}' of '${model}' stays: ${broken.join('; ')}` };
  const moved = moveTo(target, alias, next, state, request);
  if (moved.refused !== undefined) return moved;
  // The first fact of a request is its answer.
  return { ...moved, emit: [said, ...(moved.emit ?? [])] };
}

function protect({ model, key: alias, value, requestId, actor }: EditRequested, known: ModelState): CodedDecision {
  const { [alias]: _, ...others } = known.rules ?? {};
  const problem = value === '' ? undefined : aliasProblem(alias);
  if (problem !== undefined) return { refused: problem };
  let rules: ModelState['rules'] = others;
  try {
    if (value !== '') rules = { ...others, [alias]: parseRule(value) };
  } catch (error) {
    return { refused: error instanceof Error ? error.message : String(error) };
  }
  if (Object.keys(rules).length > aliasesMax) return { refused: `a model has rules for ${aliasesMax} aliases at most` };
  const by = { requestId, actor };
  return {
    put: [[modelKey(model), { ...known, rules } satisfies ModelState]],
    emit: [editedAlias('protect', model, alias, null, by, value)],
  };
}

/** The fact, and the rows of both versions that it concerns. */
function moveTo(target: VersionFacts, alias: string, known: ModelState, state: StateView, by: Asking): Decision {
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

function editedAlias(
  edit: string,
  model: string,
  alias: string,
  version: number | null,
  { requestId, actor }: Asking,
  value = '',
): Output {
  const data: Edited = {
    model,
    requestId,
    edit,
    version,
    key: alias,
    value,
    tags: {},
    archive: false,
    actor,
    versions: [],
    keys: [],
    aliases: {},
    staged: [],
  };
  return { topic: 'registry', type: 'edited', data, key: model };
}

/** Aliases are what people call them, `constructor` too: only what was set is a rule. */
function ruleOf({ rules = {} }: ModelState, alias: string): AliasRule | undefined {
  return Object.hasOwn(rules, alias) ? rules[alias] : undefined;
}
