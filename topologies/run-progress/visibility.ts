import type { Artifact, Frame, ItemRef, Pack } from '../../schemas/events.ts';
import { GraphIndex, type Walk } from '../../schemas/graph-index.ts';
import type { RunPlan } from './state.ts';
import { digestBytes } from '../../schemas/codec/value-pack.ts';
import type { Work } from './work.ts';

/** What a step of this walk sees: what the walk added, over what was visible where it began. */
export function visible(work: Work, plan: RunPlan, walk: Walk): readonly Artifact[] {
  const index = GraphIndex.of(plan.graph);
  const own = work.walk(index.walkId(walk));
  const around = own.cut ? undefined : index.parent(walk);
  return around === undefined ? own.artifacts : merged(visible(work, plan, around), own.artifacts);
}

/** A name that is written again names the newer artifact. */
export function merged(older: readonly Artifact[], newer: readonly Artifact[]): readonly Artifact[] {
  if (newer.length === 0) return older;
  if (older.length === 0) return newer;
  const names = new Set(newer.map(({ name }) => name));
  return [...older.filter(({ name }) => !names.has(name)), ...newer];
}

/** The foreachs, repeats and gangs around a walk, outermost first, and the items of the foreachs. */
export function framesOf(
  work: Work,
  plan: RunPlan,
  walk: Walk,
): { readonly frames: readonly Frame[]; readonly items: readonly ItemRef[] } {
  const index = GraphIndex.of(plan.graph);
  const frames: Frame[] = [];
  const items: ItemRef[] = [];
  for (let at: Walk | undefined = walk; at !== undefined; at = index.parent(at)) {
    const owner = index.owner(at.scope);
    const around = index.parent(at);
    if (owner === undefined || around === undefined || owner.kind === 'branch' || owner.kind === 'switch') continue;
    const place = at.index.at(-1) ?? 0;
    const pointId = index.stepId(around, owner);
    const size = owner.kind === 'repeat' ? -1 : (work.point(pointId)?.size ?? -1);
    frames.unshift({ point: owner.name, kind: owner.kind, index: place, size });
    if (owner.kind === 'foreach') items.unshift(itemAt(work.items(pointId), place));
  }
  return { frames, items };
}

/** Content of the items of the foreachs around a walk, outermost first; where there is no digest, the place in the pack. */
export function itemDigests(work: Work, plan: RunPlan, walk: Walk): readonly string[] {
  const index = GraphIndex.of(plan.graph);
  const digests: string[] = [];
  for (let at: Walk | undefined = walk; at !== undefined; at = index.parent(at)) {
    const owner = index.owner(at.scope);
    const around = index.parent(at);
    if (owner?.kind !== 'foreach' || around === undefined) continue;
    const packs = work.items(index.stepId(around, owner));
    const { pack, at: place } = itemAt(packs, at.index.at(-1) ?? 0);
    const known = packs.find(({ hash }) => hash === pack)?.digests ?? null;
    digests.unshift(
      known === null
        ? `${pack}@${place}`
        : Buffer.from(known.subarray(place * digestBytes, (place + 1) * digestBytes)).toString('hex'),
    );
  }
  return digests;
}

function itemAt(packs: readonly Pack[], place: number): ItemRef {
  let first = 0;
  for (const { hash, count } of packs) {
    if (place < first + count) return { pack: hash, at: place - first };
    first += count;
  }
  return { pack: '', at: 0 };
}
