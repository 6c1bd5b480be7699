/**
 * Lines that the steps of a run wrote: of ended attempts from the blobs that their ends name, of others (also of a worker that is dead)
 * from `task-output`. Lines are numbered within their attempt, so what is found in two places is shown once.
 */
import type { FollowedEvent, Runtime } from '../../runtime/engine/runtime.ts';
import { MillraceError } from '../../runtime/ports/index.ts';
import type { EndOfLines, StepLine } from '../../schemas/api/runs.ts';
import { type LogStream, parseLogLine } from '../../schemas/codec/log-line.ts';
import { stepOfTask } from '../../schemas/task-id.ts';
import type { AttemptKey, Queries, TaskAttempt } from './queries.ts';

export interface LineSelection {
  /** Step or task. */
  readonly of?: string | undefined;
  readonly attempt?: number | undefined;
  /** @default all but `trace` */
  readonly stream?: LogStream | undefined;
  /** Text that a line must hold, whatever its case. */
  readonly grep?: string | undefined;
}

/** What a run's end leaves time for: last words of steps that were ended with it. */
const lastWordsMs = 1_000;
/** Of records that wait for a reader who follows; beyond, none is kept and he is told to come again. */
const waitingBytesMax = 32 * 1024 * 1024;

export class RunLogs {
  readonly #runtime: Runtime;
  readonly #queries: Queries;
  readonly #runId: string;
  readonly #selection: LineSelection;
  readonly #told = new Map<string, number>();

  constructor(runtime: Runtime, queries: Queries, runId: string, selection: LineSelection) {
    this.#runtime = runtime;
    this.#queries = queries;
    this.#runId = runId;
    this.#selection = selection;
  }

  /** What there is now, attempt by attempt in the order of their starts. */
  async *present(): AsyncGenerator<StepLine | EndOfLines> {
    const attempts = (await this.#queries.listAttempts(this.#runId)).filter((attempt) => this.#wanted(attempt));
    const said = await this.#queries.listLines(this.#runId);
    for (const attempt of attempts) {
      if (attempt.logsHash !== null) {
        yield* this.#new(attempt, 0, await this.#blob(attempt.logsHash));
        yield ended(attempt, attempt.status);
        continue;
      }
      const key = keyOf(attempt);
      for (const { firstLine, partition, offset, ...place } of said) {
        if (keyOf(place) === key) yield* this.#new(attempt, firstLine, await this.#record(partition, offset));
      }
      if (attempt.status !== 'running') yield ended(attempt, attempt.status);
    }
  }

  /** What there is, then what comes, until the run and its steps have ended. UNAVAILABLE when the signal aborts before. */
  async *following(signal: AbortSignal): AsyncGenerator<StepLine | EndOfLines> {
    const { log } = this.#runtime.parts;
    const ends = {
      runs: await log.endOffsets(this.#runtime.topic('runs')),
      output: await log.endOffsets(this.#runtime.topic('task-output')),
    };
    const place = await this.#queries.placeOfRun(this.#runId);
    yield* this.present();
    const news: (FollowedEvent<'runs'> | FollowedEvent<'task-output'>)[] = [];
    let waitingBytes = 0;
    let wake: () => void = () => undefined;
    const onEvent = (event: FollowedEvent<'runs'> | FollowedEvent<'task-output'>): void => {
      if (event.key !== this.#runId || event.type === 'task-heartbeat' || waitingBytes > waitingBytesMax) return;
      waitingBytes += bytesOf(event);
      news.push(event);
      wake();
    };
    const followers = [
      await this.#runtime.follow('runs', { from: [...ends.runs], onEvent }),
      await this.#runtime.follow('task-output', { from: [...ends.output], onEvent }),
    ];
    signal.addEventListener('abort', () => wake(), { once: true });
    try {
      let over = place?.status !== 'running';
      let silent = false;
      while (!(over && silent && news.length === 0)) {
        if (signal.aborted) throw new MillraceError('UNAVAILABLE', 'the gateway closes, or the reader is gone');
        for (let event = news.shift(); event !== undefined; event = news.shift()) {
          // What came after so much was not kept.
          if (waitingBytes > waitingBytesMax)
            throw new MillraceError('UNAVAILABLE', `the reader is ${news.length + 1} records behind: ask again`);
          waitingBytes -= bytesOf(event);
          over ||= event.type === 'run-completed' || event.type === 'run-failed' || event.type === 'run-cancelled';
          yield* this.#toldBy(event);
        }
        silent = await new Promise<boolean>((resolve) => {
          const deadline = over ? setTimeout(() => resolve(true), lastWordsMs) : undefined;
          wake = () => {
            clearTimeout(deadline);
            resolve(false);
          };
          if (news.length > 0 || signal.aborted) wake();
        });
      }
    } finally {
      await Promise.all(followers.map((follower) => follower.close()));
    }
  }

  async *#toldBy(event: FollowedEvent<'runs'> | FollowedEvent<'task-output'>): AsyncGenerator<StepLine | EndOfLines> {
    if (event.type === 'output-written') {
      const { token, taskId, firstLine, lines } = event.data;
      const attempt = { taskId, ...token };
      if (this.#wanted(attempt)) yield* this.#new(attempt, firstLine, lines);
    } else if (event.type === 'task-completed' || event.type === 'task-failed') {
      const { token, taskId, logs } = event.data;
      const attempt = { taskId, ...token };
      if (!this.#wanted(attempt)) return;
      if (logs !== null) yield* this.#new(attempt, 0, await this.#blob(logs.hash));
      yield ended(attempt, event.type === 'task-completed' ? 'completed' : event.data.kind);
    }
  }

  #wanted({ taskId, attempt }: Pick<TaskAttempt, 'taskId' | 'attempt'>): boolean {
    const { of, attempt: wanted } = this.#selection;
    if (wanted !== undefined && attempt !== wanted) return false;
    return of === undefined || taskId === of || stepOfTask(taskId) === of;
  }

  /** Those that were not told yet. */
  *#new(attempt: AttemptKey & { attempt: number }, first: number, lines: readonly string[]): Generator<StepLine> {
    const key = keyOf(attempt);
    const told = this.#told.get(key) ?? 0;
    this.#told.set(key, Math.max(told, first + lines.length));
    const { stream, grep } = this.#selection;
    for (const [index, kept] of lines.entries()) {
      const line = first + index;
      if (line < told) continue;
      const { timeMs, stream: own, text } = parseLogLine(kept);
      if (stream === undefined ? own === 'trace' : own !== stream) continue;
      if (grep !== undefined && !text.toLowerCase().includes(grep.toLowerCase())) continue;
      const { taskId } = attempt;
      yield { taskId, step: stepOfTask(taskId), attempt: attempt.attempt, line, stream: own, at: timeMs, text };
    }
  }

  async #blob(hash: string): Promise<readonly string[]> {
    const bytes = await this.#runtime.parts.blobs.get(hash);
    return bytes.toString('utf8').split('\n').slice(0, -1);
  }

  /** The lines of one record; none when the topic keeps it no longer. */
  async #record(partition: number, offset: number): Promise<readonly string[]> {
    const place = { topic: this.#runtime.topic('task-output'), partition };
    const start = (await this.#runtime.parts.log.startOffsets(place.topic))[partition] ?? 0;
    if (offset < start) return [];
    for await (const records of this.#runtime.parts.log.read(place, { from: offset, to: offset + 1 })) {
      const [record] = records;
      if (record === undefined) break;
      const event = await this.#runtime.decode('task-output', record);
      return event.type === 'output-written' ? event.data.lines : [];
    }
    return [];
  }
}

/** About what an event holds in memory. */
function bytesOf(event: FollowedEvent<'runs'> | FollowedEvent<'task-output'>): number {
  const lines = event.type === 'output-written' ? event.data.lines : [];
  return lines.reduce((sum, line) => sum + line.length + 32, 1_024);
}

function ended({ taskId, attempt }: { taskId: string; attempt: number }, how: string): EndOfLines {
  return { taskId, step: stepOfTask(taskId), attempt, ended: how };
}

function keyOf({ taskId, dispatch, incarnation }: AttemptKey): string {
  return `${taskId}/${dispatch}/${incarnation}`;
}
