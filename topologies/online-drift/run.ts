/** A detector that goes row by row: what it was fitted to, and how it takes rows. The fold and a replay run the same code. */
import type { DetectorMethodName } from '../../schemas/detector-methods.ts';
import type { Column } from '../../schemas/events.ts';
import { onlineMethods, type OnlineMethodName, type Step } from './methods.ts';

/** The event `detector-fitted` carries it as JSON. */
export interface Fit {
  readonly detector: string;
  readonly method: OnlineMethodName & DetectorMethodName;
  readonly methodVersion: number;
  readonly target: string;
  readonly minEffectSize: number;
  readonly raiseAfter: number;
  readonly clearAfter: number;
  readonly reportEvery: number;
  readonly referenceKind: string;
  readonly referenceRows: number;
  readonly columns: readonly FitColumn[];
  /** Per column; a single one when the method looks at whole rows. */
  readonly models: readonly unknown[];
}

export interface FitColumn {
  readonly name: string;
  readonly table: 'columns' | 'outputs';
  /** Where it lies when the table has no column of its name. */
  readonly place: number;
  /** Columns of that table. */
  readonly width: number;
  /** Values are divided by it. */
  readonly scale: number;
}

export interface Rows {
  readonly columns: readonly Column[];
  readonly outputs: readonly Column[];
}

/** The largest effect of a column since the last finding. */
export interface Peak {
  readonly alarm: boolean;
  readonly statistic: number;
  readonly threshold: number;
  readonly pValue: number;
  readonly effectSize: number;
}

export const noPeak: Peak = { alarm: false, statistic: 0, threshold: Number.NaN, pValue: Number.NaN, effectSize: 0 };

/** Nothing was looked at yet. A method may have no threshold, so that alone does not say it. */
const isNone = ({ alarm, statistic, threshold, effectSize }: Peak): boolean =>
  Number.isNaN(threshold) && !alarm && statistic === 0 && effectSize === 0;

export interface Running {
  readonly states: readonly unknown[];
  readonly peaks: readonly Peak[];
}

/** Columns of the rows in the order of the fit; undefined when they are not there. */
export function columnsOf({ columns }: Fit, rows: Rows): readonly (readonly number[])[] | undefined {
  const found: (readonly number[])[] = [];
  for (const { name, table, place, width } of columns) {
    const all = rows[table];
    const column = all.find((candidate) => candidate.name === name) ?? (all.length === width ? all[place] : undefined);
    if (column === undefined) return undefined;
    found.push(column.values);
  }
  return found;
}

/** One row later. `alarm`: this row raised it. */
export function takeRow(fit: Fit, running: Running, cells: readonly number[]): Running & { readonly alarm: boolean } {
  const method = onlineMethods[fit.method];
  const values = cells.map((value, column) => value / (fit.columns[column]?.scale ?? 1));
  if (method.over === 'rows') {
    if (!values.every(Number.isFinite)) return { ...running, alarm: false };
    const step = method.step(running.states[0], values, fit.models[0]);
    return { states: [step.state], ...peaked(fit, running.peaks, [step]) };
  }
  const steps = values.map((value, column) => {
    const accepts = method.accepts ?? Number.isFinite;
    return accepts(value) ? method.step(running.states[column], value, fit.models[column]) : undefined;
  });
  const states = running.states.map((state, column) => {
    const step = steps[column];
    return step === undefined ? state : step.state;
  });
  return { states, ...peaked(fit, running.peaks, steps) };
}

function peaked(
  { minEffectSize }: Fit,
  before: readonly Peak[],
  steps: readonly (Step | undefined)[],
): { readonly peaks: readonly Peak[]; readonly alarm: boolean } {
  let alarm = false;
  const peaks = steps.map((step, column) => {
    const peak = before[column] ?? noPeak;
    if (step === undefined) return peak;
    const raised = step.alarm && step.effectSize >= minEffectSize;
    alarm ||= raised;
    const { statistic, threshold, pValue, effectSize } = step;
    // An alarm outweighs a larger effect that was none.
    const larger = raised === peak.alarm ? effectSize > peak.effectSize : raised;
    return larger || isNone(peak) ? { alarm: raised || peak.alarm, statistic, threshold, pValue, effectSize } : peak;
  });
  return { peaks, alarm };
}
