import type { Sql } from '../../runtime/adapters/query/sqlite-query-store.ts';
import type { Running, Runtime } from '../../runtime/engine/runtime.ts';
import type { QueryStore } from '../../runtime/ports/query-store.ts';
import type { ReadPosition } from './position-reports.ts';
import { type ProjectedEvent, type ProjectedTopic, projectedTopics, type RowChange, rowsOf } from './rows.ts';
import type { ProvenanceTables } from './tables.ts';

export type ProvenanceStore = QueryStore<Sql<ProvenanceTables>>;

/** Events of one transaction at most. */
const batchEvents = 2_000;
/** SQLite takes a bounded number of values in one statement. */
const rowsPerStatement = 200;

/**
 * Keeps the query store in step with the log: rows and positions change in one transaction. Its store is its own, so it reads all
 * partitions; a repeat changes nothing, since rows are keyed.
 */
export class Projection implements Running {
  readonly #runtime: Runtime;
  readonly #store: ProvenanceStore;
  readonly #followers: Running[] = [];
  #pending: ProjectedEvent[] = [];
  #writing: Promise<void> = Promise.resolve();
  #scheduled = false;

  private constructor(runtime: Runtime, store: ProvenanceStore) {
    this.#runtime = runtime;
    this.#store = store;
  }

  /** The next offset of every partition that is not in the store yet. */
  static async positions(runtime: Runtime, { database }: ProvenanceStore): Promise<readonly ReadPosition[]> {
    const stored = await database.selectFrom('positions').selectAll().execute();
    return projectedTopics.flatMap((topic) =>
      Array.from({ length: runtime.partitions(topic) }, (_, partition) => {
        const position = stored.find((row) => row.topic === topic && row.partition === partition)?.position ?? 0;
        return { topic, partition, position };
      }),
    );
  }

  static async start(runtime: Runtime, store: ProvenanceStore): Promise<Projection> {
    const projection = new Projection(runtime, store);
    for (const topic of projectedTopics) await projection.#follow(topic);
    return projection;
  }

  /** Resolves when everything that was on the log at the start is in the tables. */
  async ready(): Promise<void> {
    await Promise.all(this.#followers.map((follower) => follower.ready()));
    await this.flush();
  }

  /** Writes what has been delivered so far. */
  async flush(): Promise<void> {
    while (this.#pending.length > 0) await this.#write();
    await this.#writing;
  }

  async close(): Promise<void> {
    await Promise.all(this.#followers.map((follower) => follower.close()));
    await this.flush();
  }

  async #follow<T extends ProjectedTopic>(topic: T): Promise<void> {
    const stored = await this.#store.database.selectFrom('positions').selectAll().where('topic', '=', topic).execute();
    const from = Array.from(
      { length: this.#runtime.partitions(topic) },
      (_, partition) => stored.find((row) => row.partition === partition)?.position ?? 0,
    );
    const follower = await this.#runtime.follow(topic, {
      from,
      onEvent: (event) => {
        this.#pending.push(Object.assign(event, { catalogueTopic: topic }) as unknown as ProjectedEvent);
        this.#schedule();
      },
    });
    this.#followers.push(follower);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      void this.#write();
    });
  }

  #write(): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      const events = this.#pending.splice(0, batchEvents);
      if (events.length > 0) await this.#store.transaction((database) => writeEvents(database, events));
      if (this.#pending.length > 0) this.#schedule();
    });
    return this.#writing;
  }
}

async function writeEvents(database: Sql<ProvenanceTables>, events: readonly ProjectedEvent[]): Promise<void> {
  const ends = new Map<string, { topic: string; partition: number; position: number }>();
  let run: RowChange[] = [];
  for (const event of events) {
    const place = { topic: event.catalogueTopic, partition: event.partition, position: event.offset + 1 };
    ends.set(`${place.topic}/${place.partition}`, place);
    for (const change of rowsOf(event)) {
      const first = run[0];
      if (first !== undefined && (first.table !== change.table || first.update?.join() !== change.update?.join())) {
        await writeRows(database, run);
        run = [];
      }
      run.push(change);
    }
  }
  await writeRows(database, run);
  await database
    .insertInto('positions')
    .values([...ends.values()])
    .onConflict((conflict) =>
      conflict.columns(['topic', 'partition']).doUpdateSet((row) => ({ position: row.ref('excluded.position') })),
    )
    .execute();
}

/** Changes of one table and kind, in order, in as few statements as may be. */
async function writeRows(database: Sql<ProvenanceTables>, changes: readonly RowChange[]): Promise<void> {
  const first = changes[0];
  if (first === undefined) return;
  const update = first.update as readonly string[] | undefined;
  for (let from = 0; from < changes.length; from += rowsPerStatement) {
    const rows = changes.slice(from, from + rowsPerStatement).map(({ row }) => row);
    await database
      .insertInto(first.table)
      .values(rows)
      .onConflict((conflict) =>
        update === undefined
          ? conflict.doNothing()
          : conflict.doUpdateSet((row) =>
              Object.fromEntries(update.map((column) => [column, row.ref(`excluded.${column}` as never)])),
            ),
      )
      .execute();
  }
}
