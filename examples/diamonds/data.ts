/**
 * The diamonds of `@observablehq/sample-datasets`: 53,940 round-cut diamonds with their prices in US dollars
 * (originally ggplot2's `diamonds`). Nothing here needs a network or a browser.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** One diamond as the file gives it. `id` is its 0-based row in the file; lengths x, y, z in mm, price in dollars. */
export interface Diamond {
  readonly id: number;
  readonly carat: number;
  readonly cut: string;
  readonly color: string;
  readonly clarity: string;
  readonly depth: number;
  readonly table: number;
  readonly price: number;
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

/** Reads all diamonds from the installed package, in the order of the file. */
export function readDiamonds(): Diamond[] {
  return parseDiamonds(readFileSync(diamondsPath(), 'utf8'));
}

/**
 * Diamonds from CSV text with a header line.
 *
 * @throws RangeError naming the line and column of the first value that is missing or not a number.
 */
export function parseDiamonds(csv: string): Diamond[] {
  const [header = '', ...lines] = csv.trimEnd().split(/\r?\n/);
  const columns = header.split(',');
  for (const name of expectedColumns) {
    if (!columns.includes(name)) throw new RangeError(`diamonds: no column '${name}' in the header '${header}'`);
  }
  return lines.map((line, id) => parseDiamond(line.split(','), columns, id));
}

/** The entity that requests and feedback about this diamond are keyed by. */
export function diamondKey(diamond: Diamond): string {
  return `diamond-${diamond.id}`;
}

const expectedColumns = ['carat', 'cut', 'color', 'clarity', 'depth', 'table', 'price', 'x', 'y', 'z'] as const;

function parseDiamond(cells: readonly string[], columns: readonly string[], id: number): Diamond {
  const text = (name: (typeof expectedColumns)[number]): string => {
    const cell = cells[columns.indexOf(name)];
    // The header is line 1.
    if (cell === undefined || cell === '') throw new RangeError(`diamonds: line ${id + 2} has no value for '${name}'`);
    return cell;
  };
  const number = (name: (typeof expectedColumns)[number]): number => {
    const value = Number(text(name));
    if (!Number.isFinite(value)) {
      throw new RangeError(`diamonds: line ${id + 2}, '${name}': expected a number, got '${text(name)}'`);
    }
    return value;
  };
  return {
    id,
    carat: number('carat'),
    cut: text('cut'),
    color: text('color'),
    clarity: text('clarity'),
    depth: number('depth'),
    table: number('table'),
    price: number('price'),
    x: number('x'),
    y: number('y'),
    z: number('z'),
  };
}

/** Looks beside this file and then in the working folder: a bundled copy of this file may run from anywhere. */
function diamondsPath(): string {
  const bases = [import.meta.url, join(process.cwd(), 'package.json')].filter((base) => base !== undefined);
  for (const base of bases) {
    try {
      return createRequire(base).resolve('@observablehq/sample-datasets/diamonds.csv');
    } catch {
      // Not installed there: the next base, or the error below.
    }
  }
  throw new Error(
    `the package @observablehq/sample-datasets was found neither from ${bases.join(' nor from ')}; run: npm install @observablehq/sample-datasets`,
  );
}
