import { formatLogLine, type LogLine } from '../../../schemas/codec/log-line.ts';
import { logMark } from './protocol.ts';

/** Time, stream and the end of a line. */
const lineOverheadBytes = 30;

/** A line that is longer is cut into several. */
const partialMax = 65_536;
/** So much of it stays to be looked at with what follows: as long as a value that is to be masked may be. */
const overlap = 16_384;

/**
 * The log of one step: lines of both streams in the order in which they were written, each with its time. Bounded: what is beyond is
 * counted and said at the end. Of a line that was drawn over (a progress bar with `\r`) the last state is kept.
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

  readonly #onLine: (line: string) => void;

  /** `onLine` hears each line that is kept, in order. */
  constructor(bytesMax: number, onLine: (line: string) => void = () => undefined) {
    this.#bytesMax = bytesMax;
    this.#onLine = onLine;
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

  /** Why the step failed: its last words, which have room however much was written before; `trace` says it with all frames. */
  failure(text: string, trace: string): void {
    this.#flush();
    this.#sayCut();
    for (const line of this.#mask(text.trimEnd()).split('\n')) this.#append('err', line);
    if (trace !== '') for (const line of this.#mask(trace.trimEnd()).split('\n')) this.#append('trace', line);
  }

  /** The whole log; undefined when nothing was written. Nothing is kept afterwards. */
  text(): string | undefined {
    this.#flush();
    this.#sayCut();
    return this.#lines.length === 0 ? undefined : `${this.#lines.join('\n')}\n`;
  }

  #sayCut(): void {
    if (this.#cutBytes > 0) this.#append('err', `[the log was cut: ${this.#cutBytes} bytes more were written]`);
    this.#cutBytes = 0;
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
    if (this.#partial.length > partialMax) {
      // what must not be kept may lie across the cut
      const shown = this.#mask(this.#partial);
      this.#keep(shown.slice(0, -overlap));
      this.#partial = shown.slice(-overlap);
    }
  }

  #flush(): void {
    if (this.#partial === '') return;
    this.#keep(this.#partial);
    this.#partial = '';
  }

  #keep(written: string): void {
    const drawn = written.endsWith('\r') ? written.slice(0, -1) : written;
    const shown = this.#mask(drawn);
    const text = shown.slice(shown.lastIndexOf('\r') + 1);
    const bytes = Buffer.byteLength(text) + lineOverheadBytes;
    if (this.#bytes + bytes > this.#bytesMax) {
      this.#cutBytes += bytes;
      return;
    }
    this.#bytes += bytes;
    this.#append(this.#stream, text);
  }

  #append(stream: LogLine['stream'], text: string): void {
    const line = formatLogLine({ timeMs: Date.now(), stream, text });
    this.#lines.push(line);
    this.#onLine(line);
  }
}
