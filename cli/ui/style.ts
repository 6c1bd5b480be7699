/** Colour only where a person looks: a terminal that has not asked for none (NO_COLOR, TERM=dumb; https://no-color.org). */
export const coloured =
  process.env['FORCE_COLOR'] !== undefined
    ? process.env['FORCE_COLOR'] !== '0'
    : process.stdout.isTTY === true && process.env['NO_COLOR'] === undefined && process.env['TERM'] !== 'dumb';

const paint =
  (open: number, close: number) =>
  (text: string): string =>
    coloured ? `\u001b[${open}m${text}\u001b[${close}m` : text;

export const bold = paint(1, 22);
export const dim = paint(2, 22);
export const red = paint(31, 39);
export const green = paint(32, 39);
export const yellow = paint(33, 39);
export const cyan = paint(36, 39);

const escapes = /\u001b\[[0-9;]*m/g;

/** Columns a text takes on screen. */
export function widthOf(text: string): number {
  return [...text.replace(escapes, '')].length;
}

export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)));
}

export function padStart(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - widthOf(text))) + text;
}
