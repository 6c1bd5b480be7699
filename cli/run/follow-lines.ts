/** Lines of the steps of a run as they come, also over a time in which the platform is away. */
import { hasCode } from '../../runtime/ports/errors.ts';
import type { Client, EndOfLines, LineFilter, StepLine } from '../../sdk/client/index.ts';

/** Lines that broke off are asked for again after so long. */
const againMs = 500;

export interface LineReader {
  readonly line: (line: StepLine) => void;
  /** All lines of an attempt were told. */
  readonly ended?: (attempt: EndOfLines) => void;
  /** Whether nothing more is to be asked for; `whole`: the run had ended, and all lines came. @default when they are whole */
  readonly over?: (whole: boolean) => boolean;
  /** Lines broke off, or could not be asked for: they are asked for again, unless it throws. */
  readonly onBroken?: (error: unknown) => void;
  readonly signal?: AbortSignal;
  readonly filter?: Omit<LineFilter, 'follow' | 'signal'>;
}

/** Tells each line once. Rejects with what asking again would not mend. */
export async function followLines(client: Client, runId: string, reader: LineReader): Promise<void> {
  const { line: show, ended, over = (whole) => whole, onBroken, signal, filter = {} } = reader;
  const told = new Map<string, number>();
  const aborted = (): boolean => signal?.aborted === true;
  while (!aborted()) {
    let whole = false;
    try {
      for await (const line of client.runs.logsWithEnds(runId, { ...filter, follow: true, signal })) {
        const attempt = attemptOf(line);
        if ('ended' in line) ended?.(line);
        else if (line.line > (told.get(attempt) ?? -1)) {
          told.set(attempt, line.line);
          show(line);
        }
      }
      whole = true;
    } catch (error) {
      if (aborted()) return;
      if (!hasCode(error, 'UNAVAILABLE')) throw error;
      onBroken?.(error);
    }
    if (over(whole)) return;
    await pause(againMs, signal);
  }
}

export function attemptOf({ taskId, attempt }: { readonly taskId: string; readonly attempt: number }): string {
  return `${taskId}#${attempt}`;
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}
