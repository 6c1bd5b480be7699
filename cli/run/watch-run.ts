/** Follows a run to its end: events, lines of its steps, cancellation by Ctrl-C. */
import type { Client } from '../../sdk/client/index.ts';
import { exitCode } from '../exit-codes.ts';
import type { RunProgress } from './run-progress.ts';
import type { RunView } from './run-views.ts';

/** Lines of steps that have ended are waited for so long after the end of the run. */
const linesDeadlineMs = 3_000;

/** Resolves when the run and its exit hooks have ended and every line was shown. */
export async function watchRun(client: Client, runId: string, progress: RunProgress, view: RunView): Promise<void> {
  const stop = cancelOnSignal(client, runId, view);
  const abort = new AbortController();
  /** Attempts whose lines are not told to the end yet. */
  const open = new Set<string>();
  let changed: () => void = () => undefined;
  const lines = showLines(client, runId, view, abort.signal, (ended) => {
    open.delete(ended);
    changed();
  });
  const events = client.runs.follow(runId, (event) => {
    progress.take(event);
    view.event(event);
    if (event.type === 'task-started') open.add(`${event.data.taskId}#${event.data.token.attempt}`);
    changed();
  });
  try {
    await Promise.race([
      events.done,
      new Promise<void>((resolve) => {
        changed = () => {
          if (progress.over) resolve();
        };
        changed();
      }),
    ]);
    // steps that were ended with the run say their last words when nobody tells an end of theirs
    const told = new Promise<void>((resolve) => {
      changed = () => {
        if (open.size === 0) resolve();
      };
      changed();
    });
    await Promise.race([told, lines, deadline(linesDeadlineMs)]);
  } finally {
    stop();
    abort.abort();
    await events.close();
    await lines;
  }
}

async function showLines(
  client: Client,
  runId: string,
  view: RunView,
  signal: AbortSignal,
  ended: (attempt: string) => void,
): Promise<void> {
  try {
    for await (const line of client.runs.logsWithEnds(runId, { follow: true, signal })) {
      if ('ended' in line) ended(`${line.taskId}#${line.attempt}`);
      else view.line(line);
    }
  } catch (error) {
    if (!signal.aborted) view.note(`lines of the steps cannot be read: ${error instanceof Error ? error.message : ''}`);
  }
}

/** The first signal asks the run to stop, the second leaves at once: children end with this process. */
function cancelOnSignal(client: Client, runId: string, view: RunView): () => void {
  const before = process.listeners('SIGINT');
  process.removeAllListeners('SIGINT');
  let asked = false;
  const cancel = (): void => {
    if (asked) {
      view.close();
      process.exit(exitCode.interrupted);
    }
    asked = true;
    process.exitCode = exitCode.interrupted;
    view.note('cancelling; Ctrl-C again leaves at once');
    client.runs.cancel(runId, 'interrupted').catch((error: unknown) => {
      view.note(`the run could not be cancelled: ${error instanceof Error ? error.message : String(error)}`);
    });
  };
  process.on('SIGINT', cancel);
  process.on('SIGTERM', cancel);
  return () => {
    process.off('SIGINT', cancel);
    process.off('SIGTERM', cancel);
    for (const listener of before) process.on('SIGINT', listener as () => void);
  };
}

async function deadline(ms: number): Promise<void> {
  await new Promise<void>((resolve) => setTimeout(resolve, ms).unref());
}
