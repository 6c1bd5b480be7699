import { sparkline } from '../ui/plot.ts';
import { dim, green } from '../ui/style.ts';
import { table } from '../ui/table.ts';
import type { ComparedCurves, ComparedRow, Comparison } from './comparison.ts';
import { short, statusText } from './run-table.ts';

const plotWidth = 48;

/** A table of what differs (all of it when asked), and a line of blocks for each curve of more than one point. */
export function comparisonText({ runs, rows, curves }: Comparison, all: boolean): string {
  const shown = all ? rows : rows.filter(({ differs, kind }) => differs || kind === 'metric');
  const names = runs.map(({ name, runId }) => `${name} ${runId.slice(0, 8)}`);
  const head: Line = { kind: 'status', key: '', values: runs.map(({ status }) => statusText(status)) };
  const grid = table<Line>(
    [head, ...shown],
    [
      { title: '', value: ({ kind }) => kind },
      { title: '', value: ({ key }) => key },
      ...names.map((title, index) => ({
        title,
        value: ({ values, key, kind }: Line) => (kind === 'status' ? String(values[index]) : cell(values, index, key)),
        align: 'right' as const,
      })),
    ],
  );
  const same = rows.length - shown.length;
  const rest = same > 0 ? [dim(`${same} more are the same everywhere: --all shows them`)] : [];
  return [grid, ...rest, ...curves.flatMap((curve) => curveLines(curve, names))].join('\n');
}

interface Line {
  readonly kind: string;
  readonly key: string;
  readonly values: ComparedRow['values'];
}

function cell(values: readonly (number | string | null)[], index: number, key: string): string {
  const value = values[index] ?? null;
  if (value === null) return dim('–');
  if (typeof value === 'string') return value.length > 40 ? `${value.slice(0, 39)}…` : value;
  const numbers = values.filter((other): other is number => typeof other === 'number' && Number.isFinite(other));
  const best = /acc|auc|f1|r2|precision|recall|score|reward/i.test(key) ? Math.max(...numbers) : Math.min(...numbers);
  return numbers.length > 1 && value === best && numbers.some((other) => other !== best)
    ? green(short(value))
    : short(value);
}

function curveLines({ metric, points }: ComparedCurves, names: readonly string[]): readonly string[] {
  const wide = Math.max(...names.map(({ length }) => length));
  const values = points.flatMap((run) => run.map(({ value }) => value)).filter(Number.isFinite);
  if (values.length === 0) return [];
  const low = values.reduce((a, b) => Math.min(a, b));
  const high = values.reduce((a, b) => Math.max(a, b));
  return [
    '',
    `${metric} ${dim(`${short(low)} … ${short(high)}`)}`,
    ...points.map((run, index) => {
      const name = (names[index] ?? '').padEnd(wide);
      if (run.length === 0) return `  ${name}  ${dim('–')}`;
      const ordered = [...run].sort((a, b) => a.step - b.step);
      const line = sparkline(
        ordered.map(({ value }) => value),
        plotWidth,
      );
      return `  ${name}  ${line}  ${short(ordered.at(-1)?.value ?? Number.NaN)}`;
    }),
  ];
}
