/**
 * Memoised tasks: what an outcome follows from, as one hash. Bundle, step and settings that user code can see; parameters and
 * configuration; the content of all artifacts that are visible; the items of the foreachs around it (their content, not their place);
 * round of each repeat; the window of time to which outside data belong, where the step declares one.
 */
import { hash } from 'node:crypto';
import type { Artifact } from '../../schemas/events.ts';
import { workOf } from './dispatch.ts';
import { gangOf, type Place, type StepPlace } from './places.ts';
import type { RunPlan } from './state.ts';
import { itemDigests } from './visibility.ts';
import type { Work } from './work.ts';

/** A task whose outcome may be remembered: its step says so, and it is no member of a gang. */
export function isMemoised({ graph }: RunPlan, place: Place): place is StepPlace {
  return place.kind === 'step' && place.step.memoise !== undefined && gangOf(graph, place) === undefined;
}

/** sha256, hex. Needs all that a dispatch of the task needs. */
export function memoryKeyOf(work: Work, plan: RunPlan, place: StepPlace): string {
  const { step, walk } = place;
  const { memoise = {}, environment = {}, image = '' } = step;
  const { kind, inputs, packs = [], frames = [] } = workOf(work, plan, place);
  const window = memoise.windowMs === undefined ? '' : Math.floor((plan.asOfMs ?? 0) / memoise.windowMs);
  const from = [
    ['code', plan.bundleHash, step.name, kind],
    ['settings', Object.entries(environment).sort(byName), image, memoise.key ?? ''],
    ['given', plan.parameters, JSON.stringify(plan.graph.configuration ?? {})],
    [
      'inputs',
      inputs.map(({ branch, artifacts }) => [branch, contents(artifacts)]),
      packs.map(({ hash: pack }) => pack),
    ],
    ['items', itemDigests(work, plan, walk)],
    ['rounds', frames.filter(({ kind: frame }) => frame === 'repeat').map(({ index }) => index)],
    ['window', memoise.windowMs ?? 0, window],
  ];
  return hash('sha256', JSON.stringify(from), 'hex');
}

function contents(artifacts: readonly Artifact[]): readonly (readonly string[])[] {
  return artifacts.map(({ name, hash: content, codec }) => [name, content, codec] as const).sort(byName);
}

function byName([a = '']: readonly string[], [b = '']: readonly string[]): number {
  return a < b ? -1 : Number(a > b);
}
