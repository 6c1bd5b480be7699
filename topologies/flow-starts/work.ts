import type { Effects, Output, StateView, TimerSpec } from '../../runtime/engine/topology.ts';
import { type CurrentVersion, type FlowCounts, countsKey, currentKey, noCounts, type ScheduleStand } from './state.ts';

/** One flow while one record or timer is folded: what is read, with what this fold has written on top; its effects in the end. */
export class Work {
  readonly flow: string;
  readonly timeMs: number;
  readonly #state: StateView;
  readonly #put = new Map<string, unknown>();
  readonly #delete = new Set<string>();
  readonly #emit: Output[] = [];
  readonly #setTimers: TimerSpec[] = [];
  readonly #clearTimers: string[] = [];
  readonly #count: Record<string, number> = {};

  constructor(state: StateView, flow: string, timeMs: number) {
    this.#state = state;
    this.flow = flow;
    this.timeMs = timeMs;
  }

  /** The deployed version, a removed one included. */
  get known(): CurrentVersion | undefined {
    return this.get<CurrentVersion>(currentKey(this.flow));
  }

  /** The deployed version; undefined when there is none, or it was removed. */
  get current(): CurrentVersion | undefined {
    const { known } = this;
    return known === undefined || known.removed ? undefined : known;
  }

  set current(version: CurrentVersion) {
    this.put(currentKey(this.flow), version);
  }

  get counts(): FlowCounts {
    return this.get<FlowCounts>(countsKey(this.flow)) ?? noCounts;
  }

  change(counts: Partial<FlowCounts>): void {
    this.put(countsKey(this.flow), { ...this.counts, ...counts });
  }

  changeSchedule(schedule: string, change: Partial<ScheduleStand>): void {
    const { schedules } = this.counts;
    const stand = schedules[schedule] ?? { digest: '', lastMs: 0, open: 0 };
    this.change({ schedules: { ...schedules, [schedule]: { ...stand, ...change } } });
  }

  get<V>(key: string): V | undefined {
    if (this.#delete.has(key)) return undefined;
    return this.#put.has(key) ? (this.#put.get(key) as V) : this.#state.get<V>(key);
  }

  /** As it was before this record; what it deletes is left out. */
  range<V>(prefix: string): readonly (readonly [key: string, value: V])[] {
    return this.#state.range<V>(prefix).filter(([key]) => !this.#delete.has(key));
  }

  put(key: string, value: unknown): void {
    this.#delete.delete(key);
    this.#put.set(key, value);
  }

  delete(key: string): void {
    this.#put.delete(key);
    this.#delete.add(key);
  }

  emit(output: Output): void {
    this.#emit.push(output);
  }

  setTimer(timer: TimerSpec): void {
    this.#setTimers.push(timer);
  }

  clearTimer(name: string): void {
    this.#clearTimers.push(name);
  }

  count(name: string, by = 1): void {
    this.#count[name] = (this.#count[name] ?? 0) + by;
  }

  effects(): Effects {
    return {
      put: [...this.#put],
      delete: [...this.#delete],
      setTimers: this.#setTimers,
      clearTimers: this.#clearTimers,
      emit: this.#emit,
      count: this.#count,
    };
  }
}
