/**
 * Anchors (Ribeiro, Singh and Guestrin 2018): a short rule "these features stay as they are" under which the model
 * (almost) always gives the same answer. Beam search; precision is estimated with as few questions as KL-LUCB needs.
 */
import { requireFraction, requireInteger } from '../arguments.ts';
import { explorationRate, klLowerBound, klUpperBound } from './kl-lucb.ts';
import type { Questions } from './questions.ts';

/** A rule: the features that are held, ascending. */
export type Rule = readonly number[];

/** What is to be explained: where rows under a rule come from and what share of rows it covers. */
export interface AnchorProblem {
  readonly features: number;
  /** Share of the population to which the rule applies. */
  coverage(rule: Rule): number;
  /** Draws rows under the rule; returns how many of them got the explained answer. */
  draw(rule: Rule, count: number): Questions<number>;
  /** The precision itself, where it can be counted; then nothing is drawn. */
  readonly precision?: (rule: Rule) => number;
}

export interface AnchorOptions {
  /** @default 0.95 */
  readonly precisionThreshold?: number;
  /** Error probability of the bounds. @default 0.05 */
  readonly delta?: number;
  /** Difference of precision that does not matter when ranking. @default 0.1 */
  readonly tolerance?: number;
  /** Rules that survive a round. @default 4 */
  readonly beamSize?: number;
  /** Rows per draw. @default 100 */
  readonly batchSize?: number;
  /** Draws per rule at most. @default 5000 */
  readonly drawsMax?: number;
}

export interface Anchor {
  readonly rule: Rule;
  readonly precision: number;
  /** Bounds of the precision; equal to it when it was counted. */
  readonly precisionBounds: readonly [number, number];
  readonly coverage: number;
  /** Does it reach the threshold? Otherwise this is the most precise rule found. */
  readonly valid: boolean;
}

/** Finds the valid rule of fewest features with the widest coverage; with no valid rule, the most precise one. */
export function* findAnchor(problem: AnchorProblem, options: AnchorOptions = {}): Questions<Anchor> {
  const settings = resolve(options);
  requireInteger('features', problem.features, 1);
  let beam: Rule[] = [[]];
  let best: Anchor | null = null;
  for (let length = 0; length <= problem.features; length++) {
    const rules = length === 0 ? beam : extensions(beam, problem.features);
    const arms = rules.map((rule) => ({ rule, draws: 0, hits: 0 }));
    const ranked = yield* mostPrecise(problem, arms, settings);
    for (const arm of ranked) {
      const anchor = yield* judge(problem, arm, settings);
      if (best === null || better(anchor, best)) best = anchor;
    }
    if (best?.valid === true) return best;
    beam = ranked.map(({ rule }) => rule);
  }
  if (best === null) throw new RangeError('no rule could be judged');
  return best;
}

/** Rules over a given population of rows: precision is counted, nothing is asked. */
export function populationProblem(
  rows: readonly ArrayLike<number>[],
  labels: ArrayLike<number>,
  explained: number,
): AnchorProblem {
  const own = rows[explained] ?? [];
  const covered = (rule: Rule) => rows.flatMap((row, i) => (rule.every((j) => row[j] === own[j]) ? [i] : []));
  return {
    features: own.length,
    coverage: (rule) => covered(rule).length / rows.length,
    precision: (rule) => {
      const members = covered(rule);
      return members.filter((i) => labels[i] === labels[explained]).length / members.length;
    },
    *draw() {
      throw new RangeError('a population is counted, not drawn from');
    },
  };
}

type Settings = Required<AnchorOptions>;

interface Arm {
  readonly rule: Rule;
  draws: number;
  hits: number;
}

function resolve(options: AnchorOptions): Settings {
  const settings = {
    precisionThreshold: options.precisionThreshold ?? 0.95,
    delta: options.delta ?? 0.05,
    tolerance: options.tolerance ?? 0.1,
    beamSize: options.beamSize ?? 4,
    batchSize: options.batchSize ?? 100,
    drawsMax: options.drawsMax ?? 5000,
  };
  requireFraction('precisionThreshold', settings.precisionThreshold);
  requireFraction('delta', settings.delta);
  requireInteger('beamSize', settings.beamSize, 1);
  requireInteger('batchSize', settings.batchSize, 1);
  return settings;
}

function extensions(beam: readonly Rule[], features: number): Rule[] {
  const found = new Map<string, Rule>();
  for (const rule of beam) {
    for (let j = 0; j < features; j++) {
      if (rule.includes(j)) continue;
      const longer = [...rule, j].sort((a, b) => a - b);
      found.set(longer.join(), longer);
    }
  }
  return [...found.values()];
}

/** The rules of highest precision, told apart up to the tolerance. */
function* mostPrecise(problem: AnchorProblem, arms: Arm[], settings: Settings): Questions<Arm[]> {
  const count = Math.min(settings.beamSize, arms.length);
  const { precision } = problem;
  if (precision !== undefined) {
    return [...arms].sort((a, b) => precision(b.rule) - precision(a.rule)).slice(0, count);
  }
  for (const arm of arms) yield* pull(problem, arm, settings);
  for (let round = 1; ; round++) {
    const sorted = [...arms].sort((a, b) => mean(b) - mean(a));
    const top = sorted.slice(0, count);
    const rest = sorted.slice(count);
    const beta = explorationRate(arms.length, round, settings.delta);
    const weakest = extreme(top, (arm) => klLowerBound(mean(arm), beta / arm.draws));
    const strongest = extreme(rest, (arm) => -klUpperBound(mean(arm), beta / arm.draws));
    if (weakest === null || strongest === null) return top;
    if (-strongest.value - weakest.value < settings.tolerance) return top;
    const open = [weakest.arm, strongest.arm].filter((arm) => arm.draws < settings.drawsMax);
    if (open.length === 0) return top;
    for (const arm of open) yield* pull(problem, arm, settings);
  }
}

/** Draws until the precision is surely above or below the threshold, or the draws are used up. */
function* judge(problem: AnchorProblem, arm: Arm, settings: Settings): Questions<Anchor> {
  const coverage = problem.coverage(arm.rule);
  const counted = problem.precision?.(arm.rule);
  if (counted !== undefined) {
    const valid = counted >= settings.precisionThreshold;
    return { rule: arm.rule, precision: counted, precisionBounds: [counted, counted], coverage, valid };
  }
  const level = Math.log(1 / (settings.delta / (1 + (settings.beamSize - 1) * problem.features)));
  for (;;) {
    if (arm.draws === 0) yield* pull(problem, arm, settings);
    const precision = mean(arm);
    const low = klLowerBound(precision, level / arm.draws);
    const high = klUpperBound(precision, level / arm.draws);
    const valid = low >= settings.precisionThreshold;
    const settled = valid || high < settings.precisionThreshold || arm.draws >= settings.drawsMax;
    if (settled) return { rule: arm.rule, precision, precisionBounds: [low, high], coverage, valid };
    yield* pull(problem, arm, settings);
  }
}

function* pull(problem: AnchorProblem, arm: Arm, settings: Settings): Questions<void> {
  arm.hits += yield* problem.draw(arm.rule, settings.batchSize);
  arm.draws += settings.batchSize;
}

function better(a: Anchor, b: Anchor): boolean {
  if (a.valid !== b.valid) return a.valid;
  return a.valid ? a.coverage > b.coverage : a.precision > b.precision;
}

function mean(arm: Arm): number {
  return arm.hits / arm.draws;
}

function extreme(arms: readonly Arm[], of: (arm: Arm) => number): { arm: Arm; value: number } | null {
  let found: { arm: Arm; value: number } | null = null;
  for (const arm of arms) {
    const value = of(arm);
    if (found === null || value < found.value) found = { arm, value };
  }
  return found;
}
