import type { EventOf } from '../../schemas/events.ts';
import type { EngineContext } from './engine-context.ts';
import { Follower } from './follower.ts';
import type { Table, TableTopic } from './runtime.ts';

/** A compacted topic as a map from key to newest row, kept up to date. */
export class FollowedTable<T extends TableTopic> implements Table<T> {
  readonly #context: EngineContext;
  readonly #topic: T;
  readonly #rows = new Map<string, EventOf<T>['data']>();
  readonly #listeners: ((key: string, row: EventOf<T>['data'] | undefined) => void)[] = [];
  readonly #follower: Follower<T>;

  private constructor(context: EngineContext, topic: T) {
    this.#context = context;
    this.#topic = topic;
    this.#follower = new Follower<T>(context, topic, {
      from: 'earliest',
      onEvent: (event) => this.#set(event.key, event.data),
      onTombstone: (key) => this.#set(key, undefined),
    });
  }

  static async open<T extends TableTopic>(context: EngineContext, topic: T): Promise<FollowedTable<T>> {
    const table = new FollowedTable<T>(context, topic);
    await table.#follower.start();
    await table.#follower.ready();
    return table;
  }

  get(key: string): EventOf<T>['data'] | undefined {
    return this.#rows.get(key);
  }

  async find(key: string): Promise<EventOf<T>['data'] | undefined> {
    if (!this.#rows.has(key)) await this.refresh();
    return this.#rows.get(key);
  }

  rows(): readonly EventOf<T>['data'][] {
    return [...this.#rows.values()];
  }

  async refresh(): Promise<void> {
    await this.#follower.catchUp(await this.#context.parts.log.endOffsets(this.#context.encoding.topic(this.#topic)));
  }

  onChange(listener: (key: string, row: EventOf<T>['data'] | undefined) => void): void {
    this.#listeners.push(listener);
  }

  stopped(): readonly string[] {
    return this.#follower.stopped();
  }

  async close(): Promise<void> {
    await this.#follower.close();
  }

  #set(key: string, row: EventOf<T>['data'] | undefined): void {
    if (row === undefined) this.#rows.delete(key);
    else this.#rows.set(key, row);
    for (const listener of this.#listeners) listener(key, row);
  }
}
