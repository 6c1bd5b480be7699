/** Follows a run to its end: events, lines of its steps, cancellation by Ctrl-C. */
import { hasCode, messageOf } from '../../runtime/ports/errors.ts';
import type { Client, TopicEvent } from '../../sdk/client/index.ts';
import { exitCode } from '../exit-codes.ts';
import { onInterrupt } from '../interrupt.ts';
import { attemptOf, followLines } from './follow-lines.ts';
import type { RunProgress } from './run-progress.ts';
import type { RunView } from './run-views.ts';
import { whenAway } from './when-away.ts';

/** After the end of the run, lines of its steps are waited for until none has come for so long, */
const silenceMsMax = 3_000;
/** and so long in all: a step that nobody can end any more may write on. */
const linesMsMax = 30_000;
const retryMsMax = 2_000;

/**
 * Resolves when the run and its exit hooks have ended and every line was shown. `requestId`: of a run that goes on in place, the request to
 * do so; nothing of what was before is shown.
 */
export async function watchRun(
  client: Client,
  runId: string,
  progress: RunProgress,
  view: RunView,
  requestId?: string,
): Promise<void> {
  const stop = cancelOnSignal(client, runId, view);
  const abort = new AbortController();
  /** Attempts whose lines are not told to the end yet. */
  const open = new Set<string>();
  /** Attempts of what was before. */
  const past = new Set<string>();
  let changed: () => void = () => undefined;
  let begun = requestId === undefined;
  let begin: () => void = () => undefined;
  const beginning = begun ? Promise.resolve() : new Promise<void>((resolve) => (begin = resolve));
  let shownAtMs = performance.now();
  const shown: RunView['line'] = (line) => {
    shownAtMs = performance.now();
    if (!past.has(attemptOf(line))) view.line(line);
  };
  const lines = beginning.then(() =>
    followLines(client, runId, {
      line: shown,
      ended: (line) => {
        open.delete(attemptOf(line));
        changed();
      },
      over: () => begun && progress.over,
      signal: abort.signal,
    }).catch((error: unknown) => view.note(`lines of the steps cannot be read: ${messageOf(error)}`)),
  );
  let give: (up: Error) => void = () => undefined;
  const away = new Promise<never>((_, reject) => (give = reject));
  const onBroken = whenAway(
    runId,
    (text) => view.note(text),
    (up) => give(up),
  );
  const onEvent = (event: TopicEvent<'runs'>): void => {
    if (event.type === 'run-requested' && event.data.cause.id === requestId) {
      begun = true;
      begin();
    }
    progress.take(event);
    if (event.type === 'task-started')
      (begun ? open : past).add(attemptOf({ ...event.data, attempt: event.data.token.attempt }));
    if (!begun) return;
    view.event(event);
    changed();
  };
  const events = client.runs.follow(runId, onEvent, { onBroken, retryMsMax });
  try {
    await Promise.race([
      events.done,
      away,
      new Promise<void>((resolve) => {
        changed = () => {
          if (begun && progress.over) resolve();
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
    shownAtMs = performance.now();
    if (!(await comes(Promise.race([told, lines]), () => shownAtMs)))
      view.note(`lines of its steps may be missing here: millrace logs ${runId}`);
  } finally {
    stop();
    abort.abort();
    begin();
    await events.close();
    await lines;
  }
}

/** The first signal asks the run to stop, the second leaves at once: children end with this process. */
function cancelOnSignal(client: Client, runId: string, view: RunView): () => void {
  return onInterrupt(
    () => {
      process.exitCode = exitCode.interrupted;
      view.note('cancelling; Ctrl-C again leaves at once');
      client.runs.cancel(runId, 'interrupted').catch((error: unknown) => {
        view.note(`the run could not be cancelled: ${messageOf(error)}`);
        if (!hasCode(error, 'UNAVAILABLE')) return;
        view.close();
        process.exit(exitCode.interrupted);
      });
    },
    () => view.close(),
  );
}

/** Whether all lines came before there was silence for too long. */
async function comes(all: Promise<void>, lastAtMs: () => number): Promise<boolean> {
  const told = all.then(() => true);
  const endMs = performance.now() + linesMsMax;
  for (;;) {
    const leftMs = Math.min(endMs, lastAtMs() + silenceMsMax) - performance.now();
    if (leftMs <= 0) return false;
    const silent = new Promise<false>((resolve) => setTimeout(resolve, leftMs, false).unref());
    if (await Promise.race([told, silent])) return true;
  }
}
