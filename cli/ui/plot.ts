/** Small plots for the terminal, one line each. */
const levels = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/** A line of blocks; values are averaged into `width` columns. Not finite values are left blank. */
export function sparkline(values: readonly number[], width = 40): string {
  const columns = resample(values, Math.min(width, Math.max(1, values.length)));
  const finite = columns.filter(Number.isFinite);
  const low = Math.min(...finite);
  const range = Math.max(...finite) - low || 1;
  return columns
    .map((value) => (Number.isFinite(value) ? (levels[1 + Math.round(((value - low) / range) * 7)] ?? '█') : ' '))
    .join('');
}

/** A bar of eighths. */
export function bar(value: number, max: number, width = 20): string {
  const eighths = Math.round((Math.max(0, Math.min(value, max)) / (max || 1)) * width * 8);
  const partial = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths % 8] ?? '';
  return ('█'.repeat(Math.floor(eighths / 8)) + partial).padEnd(width, ' ');
}

/** `├──●──┤` of an interval within [min, max]. */
export function interval(low: number, middle: number, high: number, min: number, max: number, width = 40): string {
  const at = (value: number): number =>
    Math.max(0, Math.min(width - 1, Math.round(((value - min) / (max - min || 1)) * (width - 1))));
  const cells = Array.from({ length: width }, () => ' ');
  for (let i = at(low); i <= at(high); i++) cells[i] = '─';
  cells[at(low)] = '├';
  cells[at(high)] = '┤';
  cells[at(middle)] = '●';
  return cells.join('');
}

function resample(values: readonly number[], width: number): number[] {
  return Array.from({ length: width }, (_, column) => {
    const from = Math.floor((column * values.length) / width);
    const to = Math.max(from + 1, Math.floor(((column + 1) * values.length) / width));
    const part = values.slice(from, to).filter(Number.isFinite);
    return part.length === 0 ? Number.NaN : part.reduce((sum, value) => sum + value, 0) / part.length;
  });
}
