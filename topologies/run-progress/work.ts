import type { Effects, Output, StateView, TimerSpec } from '../../runtime/engine/topology.ts';
import {
  type ClockState,
  clockKey,
  planKey,
  type RunPlan,
  type RunState,
  runKey,
  type TaskState,
  taskKey,
} from './state.ts';
import { clockAt } from './clock.ts';

/** Name of the timer that keeps time moving while leases are open. */
export const pulseName = 'pulse';

/**
 * One fold at work on one run: reads see its own writes, and all it wants collects here until `effects`.
 */
export class Work {
  readonly runId: string;
  readonly timeMs: number;
  readonly #state: StateView;
  readonly #values = new Map<string, unknown>();
  readonly #timers = new Map<string, TimerSpec | undefined>();
  readonly #emit: Output[] = [];
  readonly #count: Record<string, number> = {};

  constructor(state: StateView, runId: string, timeMs: number) {
    this.#state = state;
    this.runId = runId;
    this.timeMs = timeMs;
    const before = state.get<ClockState>(clockKey);
    const clock = clockAt(before, timeMs);
    if (clock !== before) this.#values.set(clockKey, clock);
  }

  get clock(): ClockState {
    return this.#get<ClockState>(clockKey) as ClockState;
  }

  set clock(clock: ClockState) {
    const sooner = clock.openLeases > 0 && (this.clock.openLeases === 0 || clock.beatMs < this.clock.beatMs);
    this.#values.set(clockKey, clock);
    if (sooner) this.pulse();
  }

  get run(): RunState | undefined {
    return this.#get<RunState>(runKey(this.runId));
  }

  set run(run: RunState) {
    this.#values.set(runKey(this.runId), run);
  }

  get plan(): RunPlan | undefined {
    return this.#get<RunPlan>(planKey(this.runId));
  }

  set plan(plan: RunPlan | undefined) {
    this.#values.set(planKey(this.runId), plan);
  }

  task(taskId: string): TaskState | undefined {
    return this.#get<TaskState>(taskKey(this.runId, taskId));
  }

  /** A task that came from a range, unless this fold has changed it since. */
  current(taskId: string, read: TaskState): TaskState | undefined {
    const key = taskKey(this.runId, taskId);
    return this.#values.has(key) ? (this.#values.get(key) as TaskState | undefined) : read;
  }

  setTask(taskId: string, task: TaskState | undefined): void {
    this.#values.set(taskKey(this.runId, taskId), task);
  }

  setTimer(timer: TimerSpec): void {
    this.#timers.set(timer.name, timer);
  }

  clearTimer(name: string): void {
    this.#timers.set(name, undefined);
  }

  /** While a lease is open something must be due every half beat, so that an idle partition still gets ticks. */
  pulse(): void {
    const { openLeases, beatMs } = this.clock;
    if (openLeases === 0) return;
    this.setTimer({
      name: pulseName,
      dueMs: this.timeMs + Math.max(1, Math.floor(beatMs / 2)),
      reads: { keys: [clockKey] },
    });
  }

  emit(output: Output): void {
    this.#emit.push(output);
  }

  count(name: string, by = 1): void {
    this.#count[name] = (this.#count[name] ?? 0) + by;
  }

  effects(): Effects {
    const entries = [...this.#values];
    const timers = [...this.#timers];
    return {
      put: entries.filter(([, value]) => value !== undefined),
      delete: entries.filter(([, value]) => value === undefined).map(([key]) => key),
      setTimers: timers.flatMap(([, timer]) => (timer === undefined ? [] : [timer])),
      clearTimers: timers.filter(([, timer]) => timer === undefined).map(([name]) => name),
      emit: this.#emit,
      count: this.#count,
    };
  }

  #get<V>(key: string): V | undefined {
    return this.#values.has(key) ? (this.#values.get(key) as V | undefined) : this.#state.get<V>(key);
  }
}
