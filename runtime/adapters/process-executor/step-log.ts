import { logMark } from './protocol.ts';

/**
 * The log of one step: lines of both streams in the order in which they were written, each behind `out ` or `err `. Bounded: what is
 * beyond is counted and said at the end.
 */
export class StepLog {
  readonly #bytesMax: number;
  #lines: string[] = [];
  #bytes = 0;
  #cutBytes = 0;
  #stream: 'out' | 'err' = 'out';
  #partial = '';
  #atMark = false;
  #onEnd: (() => void) | undefined;
  #ended = false;
  /** Runs while somebody waits for the end. */
  #silence: NodeJS.Timeout | undefined;

  #mask: (text: string) => string = (text) => text;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** What must not be kept is taken out of each line. */
  maskWith(mask: (text: string) => string): void {
    this.#mask = mask;
  }

  /** A chunk of the child's standard output, with marks. */
  push(chunk: string): void {
    this.#silence?.refresh();
    for (const [index, piece] of chunk.split(logMark).entries()) {
      let text = piece;
      if (index > 0 || this.#atMark) {
        if (piece === '') {
          this.#atMark = true;
          continue;
        }
        this.#atMark = false;
        this.#mark(piece[0] ?? '');
        text = piece.slice(1);
      }
      if (text !== '') this.#write(text);
    }
    if (chunk.endsWith(logMark)) this.#atMark = true;
  }

  /** What the child's error stream brought past the marks, such as the last words of a crash. */
  pushError(chunk: string): void {
    this.#switch('err');
    this.#write(chunk);
  }

  /** Resolves at the child's mark that this step's log is over, or when nothing has come for `deadlineMs`. */
  async ended(deadlineMs: number): Promise<void> {
    if (this.#ended) return;
    await new Promise<void>((resolve) => {
      this.#silence = setTimeout(resolve, deadlineMs);
      this.#onEnd = () => {
        clearTimeout(this.#silence);
        resolve();
      };
    });
  }

  mentions(text: string): boolean {
    return this.#partial.includes(text) || this.#lines.some((line) => line.includes(text));
  }

  /** The whole log; undefined when nothing was written. */
  text(): string | undefined {
    this.#flush();
    if (this.#lines.length === 0) return undefined;
    const cut = this.#cutBytes === 0 ? [] : [`err [the log was cut: ${this.#cutBytes} bytes more were written]`];
    return `${[...this.#lines, ...cut].join('\n')}\n`;
  }

  #mark(mark: string): void {
    if (mark === '.') {
      this.#ended = true;
      this.#onEnd?.();
    } else this.#switch(mark === 'e' ? 'err' : 'out');
  }

  #switch(stream: 'out' | 'err'): void {
    if (stream === this.#stream) return;
    this.#flush();
    this.#stream = stream;
  }

  #write(text: string): void {
    const lines = (this.#partial + text).split('\n');
    this.#partial = lines.pop() ?? '';
    for (const line of lines) this.#keep(line);
    if (this.#partial.length > 65_536) this.#flush();
  }

  #flush(): void {
    if (this.#partial === '') return;
    this.#keep(this.#partial);
    this.#partial = '';
  }

  #keep(written: string): void {
    const line = this.#mask(written);
    const bytes = Buffer.byteLength(line) + 5;
    if (this.#bytes + bytes > this.#bytesMax) {
      this.#cutBytes += bytes;
      return;
    }
    this.#bytes += bytes;
    this.#lines.push(`${this.#stream} ${line}`);
  }
}
