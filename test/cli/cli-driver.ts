/** The command line within this process: a command costs milliseconds instead of a start of Node. */
import { runCommand } from '../../cli/program.ts';

export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** One command at a time. `heard` gets all that is written, as it comes. */
export async function millrace(
  words: readonly string[],
  heard: (text: string) => void = () => undefined,
): Promise<Said> {
  const { exitCode } = process;
  const streams = [process.stdout, process.stderr];
  const writes = streams.map(({ write }) => write);
  const texts = ['', ''];
  streams.forEach((stream, index) => {
    stream.write = (chunk: string | Uint8Array) => {
      const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
      texts[index] += text;
      heard(text);
      return true;
    };
  });
  process.exitCode = undefined;
  try {
    const code = await runCommand(words);
    return { code, out: texts[0] ?? '', err: texts[1] ?? '' };
  } finally {
    streams.forEach((stream, index) => {
      const write = writes[index];
      if (write !== undefined) stream.write = write;
    });
    process.exitCode = exitCode;
  }
}
