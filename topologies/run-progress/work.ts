import type { Effects, Output, StateView, TimerSpec } from '../../runtime/engine/topology.ts';
import type { Pack } from '../../schemas/events.ts';
import { clockAt } from './clock.ts';
import {
  type Chunk,
  chunkKey,
  type ClockState,
  clockKey,
  itemsKey,
  type JoinInputs,
  joinKey,
  packsKey,
  pastKey,
  type PastTask,
  planKey,
  pointKey,
  revived,
  type PointState,
  type RunPlan,
  type RunState,
  runKey,
  type TagState,
  tagsKey,
  type TaskState,
  taskKey,
  walkKey,
  type WalkState,
} from './state.ts';

/** Name of the timer that keeps time moving while leases are open. */
export const pulseName = 'pulse';

const nothingYet: WalkState = { artifacts: [], cut: false };

/**
 * One fold at work on one run: reads see its own writes, and all it wants collects here until `effects`.
 */
export class Work {
  readonly runId: string;
  readonly timeMs: number;
  readonly #state: StateView;
  readonly #values = new Map<string, unknown>();
  /** Keys that this fold knows to be absent, because it has just named what they belong to. */
  readonly #fresh = new Set<string>();
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

  get tags(): TagState | undefined {
    return this.#get<TagState>(tagsKey(this.runId));
  }

  set tags(tags: TagState) {
    this.#values.set(tagsKey(this.runId), tags);
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

  /** What is kept of a task that is over. */
  setPast(taskId: string, past: PastTask): void {
    this.#values.set(pastKey(this.runId, taskId), past);
  }

  past(origin: string, taskId: string): PastTask | undefined {
    return this.#get<PastTask>(pastKey(origin, taskId));
  }

  /** Plan of the run that this one resumes. */
  planOf(runId: string): RunPlan | undefined {
    return this.#get<RunPlan>(planKey(runId));
  }

  runOf(runId: string): RunState | undefined {
    return this.#get<RunState>(runKey(runId));
  }

  /** A walk begins: it has nothing yet. */
  beginWalk(walkId: string): void {
    const key = walkKey(this.runId, walkId);
    if (!this.#values.has(key)) this.#fresh.add(key);
    else if (this.#values.get(key) !== undefined) this.#values.set(key, undefined);
  }

  walk(walkId: string): WalkState {
    const walk = this.#get<WalkState>(walkKey(this.runId, walkId));
    return walk === undefined ? nothingYet : { ...walk, artifacts: revived(walk.artifacts) };
  }

  setWalk(walkId: string, walk: WalkState): void {
    this.#values.set(walkKey(this.runId, walkId), walk);
  }

  /** What follows in this walk is run again. */
  markRerun(walkId: string): void {
    const walk = this.walk(walkId);
    if (walk.rerun !== true) this.setWalk(walkId, { ...walk, rerun: true });
  }

  /** What a walk had, which is over. */
  endWalk(walkId: string): WalkState {
    const walk = this.walk(walkId);
    if (walk !== nothingYet) this.#values.set(walkKey(this.runId, walkId), undefined);
    return walk;
  }

  point(pointId: string): PointState | undefined {
    return this.#get<PointState>(pointKey(this.runId, pointId));
  }

  setPoint(pointId: string, point: PointState): void {
    this.#values.set(pointKey(this.runId, pointId), point);
  }

  items(pointId: string): readonly Pack[] {
    return this.#get<readonly Pack[]>(itemsKey(this.runId, pointId)) ?? [];
  }

  /** A point begins: its items, if it has any, and no results. */
  beginPoint(pointId: string, point: PointState, items: readonly Pack[]): void {
    this.setPoint(pointId, point);
    if (items.length > 0) this.#values.set(itemsKey(this.runId, pointId), items);
    else this.#fresh.add(itemsKey(this.runId, pointId));
    this.#fresh.add(packsKey(this.runId, pointId));
    this.#fresh.add(chunkKey(this.runId, pointId, 0));
  }

  /** A point is joined: nothing of it is needed any more. */
  endPoint(pointId: string, { withItems, withPacks }: { withItems: boolean; withPacks: boolean }): void {
    const { runId } = this;
    this.#values.set(pointKey(runId, pointId), undefined);
    if (withItems) this.#values.set(itemsKey(runId, pointId), undefined);
    this.#values.set(withPacks ? packsKey(runId, pointId) : chunkKey(runId, pointId, 0), undefined);
  }

  chunk(pointId: string, chunk: number): Chunk {
    const results = this.#get<Chunk>(chunkKey(this.runId, pointId, chunk)) ?? [];
    return results.map((artifacts) => (artifacts === null ? null : revived(artifacts)));
  }

  /** All results of a point come in this fold. */
  beginResults(pointId: string, chunks: number): void {
    for (let chunk = 0; chunk < chunks; chunk++) this.#fresh.add(chunkKey(this.runId, pointId, chunk));
  }

  setChunk(pointId: string, chunk: number, results: Chunk | undefined): void {
    this.#values.set(chunkKey(this.runId, pointId, chunk), results);
  }

  packs(pointId: string): readonly (Pack | null)[] {
    return this.#get<readonly (Pack | null)[]>(packsKey(this.runId, pointId)) ?? [];
  }

  setPacks(pointId: string, packs: readonly (Pack | null)[]): void {
    this.#values.set(packsKey(this.runId, pointId), packs);
  }

  joinInputs(taskId: string): JoinInputs | undefined {
    const joined = this.#get<JoinInputs>(joinKey(this.runId, taskId));
    if (joined === undefined) return undefined;
    const inputs = joined.inputs.map(({ branch, artifacts }) => ({ branch, artifacts: revived(artifacts) }));
    return { inputs, packs: joined.packs };
  }

  setJoinInputs(taskId: string, inputs: JoinInputs | undefined): void {
    this.#values.set(joinKey(this.runId, taskId), inputs);
  }

  forget(keys: readonly string[]): void {
    for (const key of keys) this.#values.set(key, undefined);
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
    if (this.#values.has(key)) return this.#values.get(key) as V | undefined;
    return this.#fresh.has(key) ? undefined : this.#state.get<V>(key);
  }
}
