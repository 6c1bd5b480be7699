/** The lines at the bottom of a terminal that are drawn again and again; what is said meanwhile goes above them. */
export interface Terminal {
  write(text: string): unknown;
  readonly columns?: number;
}

const eraseBelow = '\u001b[0J';
const hideCursor = '\u001b[?25l';
const showCursor = '\u001b[?25h';

export class LiveRegion {
  readonly #terminal: Terminal;
  #drawn = 0;
  #hidden = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** Says lines above the region and draws it anew, all in one write so that nothing flickers. */
  update(said: readonly string[], region: readonly string[]): void {
    // a terminal that does not know its width says 0
    const width = (this.#terminal.columns || 80) - 1;
    const up = this.#drawn === 0 ? '' : `\u001b[${this.#drawn}A`;
    const hide = this.#hidden ? '' : hideCursor;
    this.#hidden = true;
    const text = [...said, ...region.map((line) => clipped(line, width))].map((line) => `${line}\n`).join('');
    this.#terminal.write(`${hide}${up}\r${eraseBelow}${text}`);
    this.#drawn = region.length;
  }

  /** Leaves the terminal as it was found. */
  close(): void {
    if (this.#hidden) this.#terminal.write(showCursor);
    this.#hidden = false;
    this.#drawn = 0;
  }
}

/** At most so many columns, escapes not counted: a line that wraps would be drawn twice. */
function clipped(line: string, width: number): string {
  let columns = 0;
  let out = '';
  for (const part of line.split(/(\u001b\[[0-9;]*m)/)) {
    if (part.startsWith('\u001b')) {
      out += part;
      continue;
    }
    const room = [...part].slice(0, width - columns);
    columns += room.length;
    out += room.join('');
  }
  return out;
}
