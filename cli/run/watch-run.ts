/** Follows a run to its end: events, lines of its steps, cancellation by Ctrl-C. */
import { hasCode, messageOf, MillraceError } from '../../runtime/ports/errors.ts';
import type { Client, TopicEvent } from '../../sdk/client/index.ts';
import { exitCode } from '../exit-codes.ts';
import { onInterrupt } from '../interrupt.ts';
import type { RunProgress } from './run-progress.ts';
import type { RunView } from './run-views.ts';

/** After the end of the run, lines of its steps are waited for until none has come for so long, */
const silenceMsMax = 3_000;
/** and so long in all: a step that nobody can end any more may write on. */
const linesMsMax = 30_000;
/** Lines that broke off are asked for again after so long. */
const linesAgainMs = 500;
/** A platform that is away so long is not waited for any longer. */
const awayMsMax = 300_000;
/** Attempts to reach it come at least so often: later ones belong to another time that it is away. */
const awayAgainMs = 30_000;
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
    showLines(client, runId, { note: (text) => view.note(text), line: shown }, abort.signal, {
      ended: (attempt) => {
        open.delete(attempt);
        changed();
      },
      over: () => begun && progress.over,
    }),
  );
  let give: (up: Error) => void = () => undefined;
  const away = new Promise<never>((_, reject) => (give = reject));
  const onBroken = whenAway(runId, view, (up) => give(up));
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

function attemptOf({ taskId, attempt }: { readonly taskId: string; readonly attempt: number }): string {
  return `${taskId}#${attempt}`;
}

/** Lines once each, also when the platform went away and came back, until the run is over. */
async function showLines(
  client: Client,
  runId: string,
  view: Pick<RunView, 'line' | 'note'>,
  signal: AbortSignal,
  { ended, over }: { readonly ended: (attempt: string) => void; readonly over: () => boolean },
): Promise<void> {
  const told = new Map<string, number>();
  while (!signal.aborted) {
    try {
      for await (const line of client.runs.logsWithEnds(runId, { follow: true, signal })) {
        const attempt = attemptOf(line);
        if ('ended' in line) ended(attempt);
        else if (line.line > (told.get(attempt) ?? -1)) {
          told.set(attempt, line.line);
          view.line(line);
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof MillraceError && error.code !== 'UNAVAILABLE') {
        view.note(`lines of the steps cannot be read: ${error.message}`);
        return;
      }
    }
    await pause(linesAgainMs, signal);
    if (over()) return;
  }
}

/** Tells that the platform is away, once each time, and gives up when it stays so. */
function whenAway(runId: string, view: RunView, give: (up: Error) => void): (error: unknown) => void {
  let sinceMs = 0;
  let lastMs = -Infinity;
  return (error) => {
    const nowMs = performance.now();
    const first = nowMs - lastMs > awayAgainMs;
    lastMs = nowMs;
    if (first) {
      sinceMs = nowMs;
      const until = `waiting for it, at most ${awayMsMax / 60_000} min; Ctrl-C leaves`;
      view.note(`the platform does not answer (${messageOf(error)}): ${until}`);
    } else if (nowMs - sinceMs > awayMsMax) {
      const how = `\`millrace runs show ${runId}\` tells how the run stands once it is up again`;
      give(new MillraceError('UNAVAILABLE', `the platform has not answered for ${awayMsMax / 60_000} min: ${how}`));
    }
  };
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

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}
