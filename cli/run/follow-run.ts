/** Follows a run to its end: steps as they go, the outcome, and what to do next. */
import type { FlowGraph } from '../../schemas/flow-graph.ts';
import type { Client } from '../../sdk/client/index.ts';
import { next, print, say } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import type { GlobalOptions } from '../session.ts';
import { bold, dim, green, red, yellow } from '../ui/style.ts';
import { duration } from '../ui/table.ts';
import { type FirstCause, RunProgress } from './run-progress.ts';
import { JsonView, LiveView, PlainView, type RunView } from './run-views.ts';
import { watchRun } from './watch-run.ts';

/** A run that was asked for, or to go on. */
export interface BegunRun {
  readonly runId: string;
  readonly flow: string;
  /** @default as the run tells it */
  readonly graph?: FlowGraph | undefined;
  /** What it has to do with another run, behind its id. */
  readonly resumes?: string;
  /** The request by which it goes on in place. */
  readonly requestId?: string;
}

export async function followRun(client: Client, begun: BegunRun, options: GlobalOptions): Promise<void> {
  const { runId, flow, graph, resumes = '', requestId } = begun;
  const progress = new RunProgress(graph);
  if (options.json !== true) say(`${bold(flow)} ${dim(`run ${runId}${resumes}`)}`);
  const view = viewOf(runId, progress, options);
  try {
    await watchRun(client, runId, progress, view, requestId);
  } finally {
    view.close();
  }
  if (view instanceof JsonView) view.ended(await client.runs.show(runId));
  else tellEnd(begun, progress);
  const status = progress.end?.status;
  if (status === 'failed') process.exitCode = exitCode.failure;
  if (status === 'cancelled' && process.exitCode === undefined) process.exitCode = exitCode.failure;
  const { cause } = progress;
  if (cause === undefined || cause.taskId === '')
    next(options, `millrace runs show ${runId}`, `millrace logs ${runId}`);
  else next(options, `millrace logs ${runId}/${cause.taskId}`, `millrace resume ${runId}`);
}

function viewOf(runId: string, progress: RunProgress, { json }: GlobalOptions): RunView {
  if (json === true) return new JsonView();
  const { stderr, env } = process;
  const live = stderr.isTTY === true && env['TERM'] !== 'dumb' && env['CI'] === undefined;
  return live ? new LiveView(runId, progress, stderr) : new PlainView(runId, progress);
}

/** The outcome; of a failed run the first cause, whatever failed after it. */
function tellEnd({ runId, flow }: BegunRun, { end, cause, startedMs = 0, taken }: RunProgress): void {
  if (end === undefined) return;
  const took = duration(end.atMs - startedMs);
  const text = { completed: green('✔ completed'), failed: red('✘ failed'), cancelled: yellow('■ cancelled') };
  const lines = cause === undefined ? [] : [causeLine(cause)];
  const over = taken.over === 0 ? '' : `, ${taken.over} of ${taken.of} tasks taken over`;
  print([`${text[end.status]} ${bold(flow)} ${dim(`run ${runId}`)} after ${took}${over}`, ...lines].join('\n'));
}

/** Where it was thrown is in the logs: here its frames would name lines of the bundle. */
function causeLine({ taskId, attempt, kind, message }: FirstCause): string {
  const place = bold(taskId === '' ? 'the start of the run' : taskId);
  const which = attempt > 1 ? ` (attempt ${attempt})` : '';
  return `  ${bold('first cause')} ${red(kind)} in ${place}${which}: ${message}`;
}
