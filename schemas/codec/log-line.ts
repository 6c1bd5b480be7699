export const logStreams = ['out', 'err', 'trace'] as const;
export type LogStream = (typeof logStreams)[number];

/** A line of a step's log, as it is kept: `2026-11-28T05:12:17.003Z out text`. */
export interface LogLine {
  /** When it was complete, milliseconds since the epoch. */
  readonly timeMs: number;
  /** `trace`: why the step failed, once more, with the frames of the platform. */
  readonly stream: LogStream;
  readonly text: string;
}

export function formatLogLine({ timeMs, stream, text }: LogLine): string {
  return `${new Date(timeMs).toISOString()} ${stream} ${text}`;
}

const shape = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z) (out|err|trace) (.*)$/s;

/** A line that has not the shape is shown as it is. */
export function parseLogLine(line: string): LogLine {
  const [, time = '', stream = 'out', text = line] = shape.exec(line) ?? [];
  return { timeMs: time === '' ? 0 : Date.parse(time), stream: stream as LogStream, text };
}
