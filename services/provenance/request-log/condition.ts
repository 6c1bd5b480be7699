/** Conditions on a column of rows, as people write them: `carat > 2`, `cut = Ideal`, `output.price >= 5000`, `depth is missing`. */
import { MillraceError } from '../../../runtime/ports/errors.ts';
import type { LoggedColumn } from '../../../schemas/api/request-log.ts';
import type { CellColumn } from './rows.ts';

export interface ColumnCondition {
  readonly column: string;
  readonly operator: '=' | '!=' | '<' | '<=' | '>' | '>=' | 'missing' | 'present';
  /** A number, or the label of a category; '' for `missing` and `present`. */
  readonly value: string;
}

const comparison = /^\s*(.+?)\s*(!=|<=|>=|=|<|>)\s*(.+?)\s*$/;
const presence = /^\s*(.+?)\s+is\s+(not\s+)?missing\s*$/i;

/** INVALID_ARGUMENT says how a condition is written. */
export function parseCondition(text: string): ColumnCondition {
  const present = presence.exec(text);
  if (present !== null)
    return { column: present[1] ?? '', operator: present[2] === undefined ? 'missing' : 'present', value: '' };
  const [, column, operator, value] = comparison.exec(text) ?? [];
  if (column === undefined || operator === undefined || value === undefined) {
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `where '${text.slice(0, 80)}': write a column, one of = != < <= > >=, and a number or category, or 'is missing', 'is not missing'`,
    );
  }
  return { column, operator: operator as ColumnCondition['operator'], value: unquoted(value) };
}

function unquoted(value: string): string {
  return /^(['"]).*\1$/.test(value) ? value.slice(1, -1) : value;
}

/** A condition on the place of a column in the numbers of a row. */
export interface CellTest {
  readonly place: number;
  readonly operator: ColumnCondition['operator'];
  readonly value: number;
}

/** undefined when one of the columns is not there. INVALID_ARGUMENT when a value is neither a number nor a category of its column. */
export function cellTests(
  conditions: readonly ColumnCondition[],
  columns: readonly LoggedColumn[],
  cells: readonly CellColumn[],
): readonly CellTest[] | undefined {
  const tests: CellTest[] = [];
  for (const { column, operator, value } of conditions) {
    const place = placeOf(column, columns);
    if (place < 0) return undefined;
    const number = operator === 'missing' || operator === 'present' ? 0 : numberOf(value, columns[place], column);
    // A float of 32 bits is compared with what 0.3 is in 32 bits; the largest number stands for an infinity, as in the rows.
    const single = cells[place]?.single === true ? Math.fround(number) : number;
    tests.push({ place, operator, value: Math.min(Number.MAX_VALUE, Math.max(-Number.MAX_VALUE, single)) });
  }
  return tests;
}

export function passes({ place, operator, value }: CellTest, cells: readonly (number | null)[]): boolean {
  const cell = cells[place] ?? null;
  if (operator === 'missing') return cell === null;
  if (cell === null) return false;
  switch (operator) {
    case 'present':
      return true;
    case '=':
      return cell === value;
    case '!=':
      return cell !== value;
    case '<':
      return cell < value;
    case '<=':
      return cell <= value;
    case '>':
      return cell > value;
    case '>=':
      return cell >= value;
  }
}

/** Inputs come first; `input.x` and `output.x` say which of two is meant. */
function placeOf(column: string, columns: readonly LoggedColumn[]): number {
  const exact = columns.findIndex(({ name }) => name === column);
  if (exact >= 0) return exact;
  const [, kind, name] = /^(input|output)\.(.+)$/.exec(column) ?? [];
  return columns.findIndex((one) => one.kind === kind && one.name === name);
}

function numberOf(value: string, column: LoggedColumn | undefined, name: string): number {
  const code = column?.categories?.indexOf(value) ?? -1;
  if (code >= 0) return code;
  const number = Number(value);
  if (value.trim() !== '' && Number.isFinite(number)) return number;
  const known =
    column?.categories === undefined ? '' : `, and no category: ${column.categories.slice(0, 30).join(', ')}`;
  throw new MillraceError('INVALID_ARGUMENT', `where ${name}: '${value.slice(0, 80)}' is no number${known}`);
}
