/**
 * A model gets another name. Models of different names may lie in different partitions, so it takes three records: who has the model says what
 * it is (`rename-offered`, keyed by the new name), who has the new name takes it or not (`rename-answered`, keyed by the old one), and then the
 * first lets go. In between the model stays as it is; what is asked of it waits, and is asked
 * again when the rename is over, as if it came then: nobody would repeat what a task or a rollout asks. Each record is written by a fold, so a crash
 * only delays the next one. A model with rules of aliases is not renamed. Under the new name everything is said by the facts that say it of a new model.
 */
import { type Effects, nothing, type Output, type StateView } from '../../runtime/engine/topology.ts';
import type { EditRequested, RenameAnswered, RenameOffered } from '../../schemas/events.ts';
import type { Decision } from '../decision-request.ts';
import { aboutKey, holderKey, modelKey, versionKey, waitingKey, waitingPrefix } from './keys.ts';
import { modelProblem } from '../../schemas/codec/model-names.ts';
import { type About, edited, forgotten, goes, type ModelState, row, type VersionFacts, versionsOf } from './rows.ts';

type CodedDecision = Decision & { readonly code?: string };

/** Of all that is said of a model, characters of JSON: it travels in one record. */
const offeredMax = 400_000;

/** Requests that wait for the end of one rename, which takes moments. */
export const waitingMax = 10_000;

/** Keeps a request until the rename is over. One beyond the most is refused and not remembered: it may come again. */
export function waitForRename(request: Output, known: ModelState, refusal: (reason: string) => Output): Effects {
  const { waiting = 0, moving = '' } = known;
  if (waiting >= waitingMax) {
    const reason = `model '${request.key}' is being renamed to '${moving}', and ${waiting} requests wait for that: ask again`;
    return { emit: [refusal(reason)], count: { refused: 1 } };
  }
  return {
    put: [
      [modelKey(request.key), { ...known, waiting: waiting + 1 } satisfies ModelState],
      [waitingKey(request.key, waiting), request],
    ],
    count: { waiting: 1 },
  };
}

export function offer(request: EditRequested, known: ModelState, state: StateView): CodedDecision {
  const { model: from, value: to, requestId, actor } = request;
  if (from === to) return { refused: `model '${from}' has this name` };
  const problem = modelProblem(to);
  if (problem !== undefined) return { refused: problem };
  const versions = present(versionsOf(state, from));
  const { description, tags } = state.get<About>(aboutKey(from)) ?? { description: '', tags: {} };
  const { latest, aliases } = known;
  const data: RenameOffered = {
    from,
    to,
    requestId,
    actor,
    description,
    tags,
    latest,
    aliases,
    versions: versions.map(({ deleted: _, ...facts }) => ({ ...facts, aliases: [] })),
  };
  if (JSON.stringify(data).length > offeredMax) {
    return {
      refused: `model '${from}' has too many versions to be renamed at once (${versions.length}): delete old ones`,
    };
  }
  return {
    put: [[modelKey(from), { ...known, moving: to } satisfies ModelState]],
    emit: [{ topic: 'registry', type: 'rename-offered', data, key: to }],
  };
}

export function take(offered: RenameOffered, state: StateView): Effects {
  const { from, to, requestId, actor } = offered;
  const answered = (reason: string | null): Output => ({
    topic: 'registry',
    type: 'rename-answered',
    data: { model: from, to, requestId, actor, reason },
    key: from,
  });
  const there = state.get<ModelState>(modelKey(to));
  if (there !== undefined && there.gone !== true) {
    return { emit: [answered(`Registered Model (name=${to}) already exists.`)], count: { refused: 1 } };
  }
  const { description, tags, aliases, versions } = offered;
  const taken: ModelState = { latest: Math.max(offered.latest, there?.latest ?? 0), aliases };
  const facts = versions.map(({ aliases: _, ...of }): VersionFacts => ({ ...of, model: to }));
  const byNumber = new Map(facts.map((of) => [of.version, of]));
  const held = Object.entries(aliases).flatMap(([alias, version]) => {
    const target = byNumber.get(version);
    return target === undefined ? [] : [[alias, target] as const];
  });
  return {
    put: [
      [modelKey(to), taken],
      [aboutKey(to), { description, tags } satisfies About],
      ...facts.map((of) => [versionKey(to, of.version), of] as const),
      ...held.map(([alias, target]) => [holderKey(to, alias), target] as const),
    ],
    emit: [...factsOf(offered, facts, held), ...facts.map((of) => row(of, taken)), answered(null)],
    count: { renamed: 1 },
  };
}

export function letGo({ model, to, requestId, actor, reason }: RenameAnswered, state: StateView): Effects {
  const known = state.get<ModelState>(modelKey(model));
  if (known?.moving !== to) return nothing;
  const { moving: _, waiting: __, ...stays } = known;
  const waited = state.range<Output>(waitingPrefix(model));
  const asked = waited.map(([, request]) => request);
  const over = waited.map(([key]) => key);
  if (reason !== null) {
    const data = { model, requestId, reason, actor, code: 'CONFLICT' };
    return {
      put: [[modelKey(model), stays satisfies ModelState]],
      delete: over,
      emit: [{ topic: 'registry', type: 'registry-refused', data, key: model }, ...asked],
    };
  }
  const versions = present(versionsOf(state, model));
  const tags = state.get<About>(aboutKey(model))?.tags ?? {};
  const renamed = {
    ...{ model, requestId, actor, edit: 'rename', value: to },
    ...{ version: null, key: '', tags: {}, archive: false },
  };
  return {
    put: [
      [modelKey(model), { latest: known.latest, aliases: {}, gone: true } satisfies ModelState],
      ...versions.map((facts) => [versionKey(model, facts.version), { ...facts, deleted: true }] as const),
    ],
    delete: [aboutKey(model), ...Object.keys(known.aliases).map((alias) => holderKey(model, alias)), ...over],
    emit: [...versions.map(forgotten), edited(renamed, goes(known, tags, versions)), ...asked],
  };
}

/** What makes a model of this kind, in the order in which it could have been said. */
function factsOf(
  { to: model, requestId, actor, description, tags }: RenameOffered,
  facts: readonly VersionFacts[],
  held: readonly (readonly [alias: string, target: VersionFacts])[],
): readonly Output[] {
  const by = { model, requestId, actor, tags: {}, archive: false };
  return [
    edited({ ...by, edit: 'create', version: null, key: '', value: description, tags }),
    ...facts.flatMap(({ registeredAt: _, stage, deleted: __, ...of }): readonly Output[] => [
      { topic: 'registry', type: 'version-registered', data: { ...of, requestId }, key: model },
      ...(stage === undefined || stage === 'None'
        ? []
        : [edited({ ...by, edit: 'stage', version: of.version, key: '', value: stage })]),
    ]),
    ...held.map(([alias, { version }]): Output => {
      const data = { model, alias, version, previous: null, requestId, actor };
      return { topic: 'registry', type: 'alias-set', data, key: model };
    }),
  ];
}

function present(versions: readonly VersionFacts[]): readonly VersionFacts[] {
  return versions.filter(({ deleted }) => deleted !== true);
}
