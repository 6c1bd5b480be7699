/** What a run does, as its events tell it: counts by step, so that a wide foreach stays one line. Pure. */
import type { EventOf } from '../../schemas/events.ts';
import { type FlowGraph, type GraphStep, isPoint, isTask, scopesOf } from '../../schemas/flow-graph.ts';
import { stepOfTask } from '../../schemas/task-id.ts';
import { type Offered, type Waiting, waitingByClass } from './waiting-text.ts';

export type RunEvent = EventOf<'runs'> & { readonly timeMs: number };

export interface StepProgress {
  readonly step: string;
  /** How many tasks it will have; undefined while that is not known. */
  readonly total: number | undefined;
  readonly running: ReadonlyMap<string, { readonly sinceMs: number; readonly attempt: number }>;
  readonly completed: number;
  /** Of these, without having run: outcomes of memoised steps. */
  readonly recalled: number;
  /** Of these, without having run: outcomes of the run that is resumed. */
  readonly takenOver: number;
  readonly failed: number;
  readonly retried: number;
  readonly firstMs: number;
  readonly lastMs: number;
}

export interface FirstCause {
  readonly taskId: string;
  readonly step: string;
  readonly attempt: number;
  readonly kind: string;
  readonly message: string;
}

export interface RunEnd {
  readonly status: 'completed' | 'failed' | 'cancelled';
  readonly atMs: number;
  readonly reason: string;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Counting = Mutable<Omit<StepProgress, 'running' | 'total'>> & {
  readonly running: Map<string, { readonly sinceMs: number; readonly attempt: number }>;
};

export class RunProgress {
  #graph: FlowGraph | undefined;
  readonly #steps = new Map<string, Counting>();
  /** Items of foreachs that are known so far, by the foreach. */
  readonly #items = new Map<string, number>();
  #around: ReadonlyMap<string, GraphStep | undefined> = new Map();
  /** Tasks that a run which goes on in place may run once more. */
  readonly #done = new Set<string>();
  readonly #failures = new Map<string, FirstCause>();
  readonly #offered = new Map<string, Offered>();
  startedMs: number | undefined;
  end: RunEnd | undefined;
  cause: FirstCause | undefined;

  /** Without a graph it is the one that the run was requested with. */
  constructor(graph?: FlowGraph) {
    if (graph !== undefined) this.#draws(graph);
  }

  get taken(): { readonly over: number; readonly of: number } {
    const steps = [...this.#steps.values()];
    const sum = (of: 'takenOver' | 'completed'): number => steps.reduce((total, step) => total + step[of], 0);
    return { over: sum('takenOver'), of: sum('completed') };
  }

  take(event: RunEvent): void {
    const { timeMs } = event;
    switch (event.type) {
      case 'run-requested':
        // one that goes on in place with its own code has no other graph than before
        if (event.data.graph !== '') this.#draws(JSON.parse(event.data.graph) as FlowGraph);
        this.#begin(timeMs);
        return;
      case 'task-started': {
        const { taskId, token } = event.data;
        const step = this.#step(taskId, timeMs);
        if (this.#done.delete(taskId)) step.completed -= 1;
        step.running.set(taskId, { sinceMs: timeMs, attempt: token.attempt });
        this.#offered.delete(taskId);
        return;
      }
      case 'phase-lapsed': {
        const { taskId, phase, compute = '', waitsSince = null } = event.data;
        if (phase === 'started') this.#ended(taskId, timeMs);
        if (waitsSince !== null) this.#offered.set(taskId, { taskId, compute, sinceMs: waitsSince });
        return;
      }
      case 'task-completed': {
        const { taskId, split = null } = event.data;
        const step = this.#ended(taskId, timeMs);
        step.completed += 1;
        this.#done.add(taskId);
        if (split !== null && split !== undefined)
          this.#items.set(step.step, (this.#items.get(step.step) ?? 0) + split.size);
        return;
      }
      case 'task-failed': {
        const { taskId, token, kind, message } = event.data;
        const step = this.#ended(taskId, timeMs);
        this.#failures.set(taskId, { taskId, step: step.step, attempt: token.attempt, kind, message });
        step.failed += 1;
        return;
      }
      case 'task-retried': {
        const step = this.#ended(event.data.taskId, timeMs);
        step.retried += 1;
        return;
      }
      case 'task-closed': {
        const { taskId, outcome } = event.data;
        this.#offered.delete(taskId);
        if (outcome !== 'recalled' && outcome !== 'cloned') return;
        const step = this.#ended(taskId, timeMs);
        step.completed += 1;
        step[outcome === 'recalled' ? 'recalled' : 'takenOver'] += 1;
        return;
      }
      case 'run-completed':
        this.end = { status: 'completed', atMs: timeMs, reason: '' };
        return;
      case 'run-cancelled':
        this.end = { status: 'cancelled', atMs: timeMs, reason: event.data.reason };
        return;
      case 'run-failed': {
        const { taskId, step, kind, message } = event.data;
        const known = this.#failures.get(taskId);
        const { attempt = 1 } = known ?? {};
        this.cause = { taskId, step, kind, message, attempt };
        this.end = { status: 'failed', atMs: timeMs, reason: message };
        return;
      }
      default:
        return;
    }
  }

  /** Steps in the order in which they began. */
  steps(): readonly StepProgress[] {
    return [...this.#steps.values()].map((step) => ({ ...step, total: this.#total(step.step) }));
  }

  /** Tasks that no worker has taken in time; nobody waits once the run has ended. */
  waiting(): readonly Waiting[] {
    return this.end === undefined ? waitingByClass(this.#offered.values()) : [];
  }

  /** Whether nothing more comes: exit hooks run after the end. */
  get over(): boolean {
    const { end } = this;
    if (end === undefined) return false;
    const hooks = this.#graph?.hooks ?? {};
    const hook = end.status === 'completed' ? hooks.success : end.status === 'failed' ? hooks.error : undefined;
    if (hook === undefined) return true;
    const run = this.#steps.get(end.status === 'completed' ? '-success' : '-error');
    return run !== undefined && run.running.size === 0 && run.completed + run.failed > run.retried;
  }

  #draws(graph: FlowGraph): void {
    this.#graph = graph;
    this.#around = loopsAround(graph);
  }

  /** For the first time, or again in place: then what has ended well stays. */
  #begin(timeMs: number): void {
    this.startedMs = timeMs;
    this.end = undefined;
    this.cause = undefined;
    this.#failures.clear();
    this.#offered.clear();
    for (const step of this.#steps.values()) {
      step.running.clear();
      step.failed = 0;
      step.retried = 0;
    }
  }

  #total(step: string): number | undefined {
    if (this.#graph === undefined) return undefined;
    const around = this.#around.get(step);
    if (around === undefined) return 1;
    if (around.kind === 'foreach') return this.#items.get(around.name);
    return around.kind === 'gang' && typeof around.size === 'number' ? around.size : undefined;
  }

  #step(taskId: string, timeMs: number): Counting {
    const step = stepOfTask(taskId);
    const known = this.#steps.get(step);
    if (known !== undefined) {
      known.lastMs = timeMs;
      return known;
    }
    const none = { completed: 0, recalled: 0, takenOver: 0, failed: 0, retried: 0, firstMs: timeMs, lastMs: timeMs };
    const fresh = { step, running: new Map<string, { sinceMs: number; attempt: number }>(), ...none };
    this.#steps.set(step, fresh);
    return fresh;
  }

  #ended(taskId: string, timeMs: number): Counting {
    const step = this.#step(taskId, timeMs);
    step.running.delete(taskId);
    return step;
  }
}

/** Milliseconds until the tasks of a step that are known will be done at the pace so far; undefined while that says nothing. */
export function leftMs(step: StepProgress, nowMs: number): number | undefined {
  const { total, completed, firstMs } = step;
  if (total === undefined || total < 2 || completed < 2 || completed >= total) return undefined;
  return ((nowMs - firstMs) / completed) * (total - completed);
}

/** The innermost foreach, repeat or gang around each task; a switch when it lies between. */
function loopsAround({ steps }: FlowGraph): ReadonlyMap<string, GraphStep | undefined> {
  const opener = new Map<string, GraphStep>();
  for (const step of steps) if (isPoint(step)) for (const scope of scopesOf(step)) opener.set(scope, step);
  const around = (scope: string): GraphStep | undefined => {
    let choice: GraphStep | undefined;
    for (let point = opener.get(scope); point !== undefined; point = opener.get(point.scope)) {
      if (point.kind === 'switch') choice ??= point;
      // how many of them choose a case is not known before
      else if (point.kind !== 'branch') return choice ?? point;
    }
    return undefined;
  };
  return new Map(steps.filter(isTask).map((step) => [step.name, around(step.scope)]));
}
