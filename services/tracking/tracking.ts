/** Writing and reading tracked runs: each write is acknowledged by the log, each read has what was acknowledged before it. */
import type { Kysely } from 'kysely';
import type { RunningProjection } from '../../runtime/engine/projection.ts';
import type { PublishedAt, Runtime } from '../../runtime/engine/runtime.ts';
import type { IdentifiedOutput } from '../../runtime/engine/service.ts';
import { MillraceError } from '../../runtime/ports/errors.ts';
import type { QueryStore } from '../../runtime/ports/query-store.ts';
import { KeyedQueue } from './keyed-queue.ts';
import type { TrackedTopic } from './rows.ts';
import type { TrackingRows, TrackingTables } from './tables.ts';

export type RunRow = TrackingRows['runs'];
export type ExperimentRow = TrackingRows['experiments'];
export type LoggedModelRow = TrackingRows['logged_models'];

const freshMs = 10_000;
/** Another gateway may have deleted a run or experiment meanwhile: this long it is not noticed. */
const rememberedMs = 2_000;
const rememberedMax = 10_000;
const begunMs = 5_000;

export class Tracking {
  readonly runtime: Runtime;
  readonly #store: QueryStore<TrackingTables>;
  readonly #projection: RunningProjection;
  readonly #runs = new Map<string, { readonly row: RunRow; readonly atMs: number }>();
  readonly #experiments = new Map<string, { readonly row: ExperimentRow; readonly atMs: number }>();
  /** Counts changes that this process asked for: what was read before one is not remembered after it. */
  #experimentChanges = 0;
  /** Writes of one run that depend on what it has. */
  readonly inTurn = new KeyedQueue();

  constructor(runtime: Runtime, store: QueryStore<TrackingTables>, projection: RunningProjection) {
    this.runtime = runtime;
    this.#store = store;
    this.#projection = projection;
  }

  /** Whether other gateways write the same runs and see the same tables. */
  get shared(): boolean {
    return this.#store.shared;
  }

  /** Tables that have what was acknowledged until now. */
  async fresh(...topics: readonly TrackedTopic[]): Promise<Kysely<TrackingRows>> {
    await this.#projection.caughtUp(freshMs, topics.length === 0 ? undefined : topics);
    return this.#store.database;
  }

  /** Resolves when the log has it. */
  async publish(outputs: readonly Omit<IdentifiedOutput, 'id'>[]): Promise<readonly PublishedAt[]> {
    const { ids } = this.runtime.parts;
    return await this.runtime.publish(outputs.map((output) => ({ ...output, id: ids.next() }) as IdentifiedOutput));
  }

  /** Resolves when the tables have it, too. */
  async written(outputs: readonly Omit<IdentifiedOutput, 'id'>[]): Promise<Kysely<TrackingRows>> {
    await this.#projection.passed(await this.publish(outputs), freshMs);
    return this.#store.database;
  }

  /** NOT_FOUND unless there is such a run, deleted or not. As it was within the last two seconds, for checks before a write. */
  async run(id: string): Promise<RunRow> {
    const nowMs = this.runtime.parts.clock.now();
    const known = this.#runs.get(id);
    if (known !== undefined && nowMs - known.atMs < rememberedMs) return known.row;
    const database = await this.fresh('tracking');
    const row = await database.selectFrom('runs').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined) throw new MillraceError('NOT_FOUND', `Run with id=${id} not found`);
    this.remember(row);
    return row;
  }

  /** INVALID_ARGUMENT when it is deleted, or its experiment: nothing is logged to such a run. */
  async activeRun(id: string): Promise<RunRow> {
    const row = await this.run(id);
    // A flow goes on whatever people do with the experiment that shows its runs.
    const goesOn = row.flow !== '' || (await this.experiment(row.experiment_id)).lifecycle === 'active';
    if (row.lifecycle === 'active' && goesOn) return row;
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `The run ${id} must be in the 'active' state. Current state is deleted.`,
    );
  }

  /** Resolves once the run of a step that calls is there: the step may be faster than the topology that makes its run a tracked one. */
  async begun(id: string): Promise<void> {
    if (this.#runs.has(id)) return;
    const { clock } = this.runtime.parts;
    for (const untilMs = clock.now() + begunMs; clock.now() < untilMs; ) {
      try {
        await this.run(id);
        return;
      } catch (error) {
        if (!(error instanceof MillraceError) || error.code !== 'NOT_FOUND') throw error;
        await new Promise<void>((resolve) => void clock.after(20, resolve));
      }
    }
  }

  /** NOT_FOUND unless there is such an experiment, deleted or not. As it was within the last two seconds, for checks before a write. */
  async experiment(id: string): Promise<ExperimentRow> {
    const nowMs = this.runtime.parts.clock.now();
    const known = this.#experiments.get(id);
    if (known !== undefined && nowMs - known.atMs < rememberedMs) return known.row;
    const changes = this.#experimentChanges;
    const row = await this.freshExperiment(id);
    if (this.#experiments.size >= rememberedMax) this.#experiments.clear();
    if (changes === this.#experimentChanges) this.#experiments.set(id, { row, atMs: nowMs });
    return row;
  }

  /** As it is now. */
  async freshExperiment(id: string): Promise<ExperimentRow> {
    const database = await this.fresh('experiments');
    const row = await database.selectFrom('experiments').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined) throw new MillraceError('NOT_FOUND', `No Experiment with id=${id} exists`);
    return row;
  }

  forgetExperiment(id: string): void {
    this.#experimentChanges += 1;
    this.#experiments.delete(id);
  }

  remember(row: RunRow): void {
    this.#runs.delete(row.id);
    this.#runs.set(row.id, { row, atMs: this.runtime.parts.clock.now() });
    if (this.#runs.size <= rememberedMax) return;
    for (const oldest of this.#runs.keys()) {
      this.#runs.delete(oldest);
      break;
    }
  }

  forget(id: string): void {
    this.#runs.delete(id);
  }
}
