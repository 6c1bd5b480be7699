import { logMark } from './protocol.ts';

export interface ChildLog {
  begin(): void;
  /** Marks the end of a step's log; false when nothing was written, so nobody needs to wait. */
  end(): boolean;
}

/**
 * Sends both streams through standard output, marked, so that they stay in the order in which they were written: two pipes would not
 * say what came first.
 */
export function captureLog(): ChildLog {
  let wrote = false;
  const write = process.stdout.write.bind(process.stdout);
  const marked =
    (stream: 'o' | 'e') =>
    (chunk: string | Uint8Array, encoding?: unknown, done?: unknown): boolean => {
      wrote = true;
      write(logMark + stream);
      const ended = typeof encoding === 'function' ? encoding : done;
      return write(unmarked(chunk), ended as () => void);
    };
  process.stdout.write = marked('o');
  process.stderr.write = marked('e');
  return {
    begin: () => {
      wrote = false;
    },
    end: () => {
      if (wrote) write(`${logMark}.`);
      return wrote;
    },
  };
}

/** What is written can hold anything, but not the mark itself. */
function unmarked(chunk: string | Uint8Array): string | Uint8Array {
  if (typeof chunk === 'string') return chunk.includes(logMark) ? chunk.replaceAll(logMark, '\ufffd') : chunk;
  const at = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).indexOf(logMark);
  return at < 0 ? chunk : Buffer.from(chunk).toString('utf8').replaceAll(logMark, '\ufffd');
}
