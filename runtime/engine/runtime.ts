import type { EventCodec } from '../../schemas/codec/event-codec.ts';
import type { EventOf, EventTopic } from '../../schemas/events.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import type { Clock } from '../ports/clock.ts';
import type { Ids } from '../ports/ids.ts';
import type { Log, LogRecord } from '../ports/log.ts';
import type { QueryStore, TableSpecs } from '../ports/query-store.ts';
import type { SchemaRegistry } from '../ports/schema-registry.ts';
import type { StateStore } from '../ports/state-store.ts';
import type { Projection, RunningProjection } from './projection.ts';
import type { IdentifiedOutput, Service } from './service.ts';
import type { AnyTopology, RecordMeta } from './topology.ts';

/** Where structured log lines go; pino fits. */
export interface Logger {
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

/** The parts that the engine runs on. */
export interface EngineParts {
  readonly log: Log;
  readonly state: StateStore;
  readonly blobs: BlobStore;
  readonly registry: SchemaRegistry;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: Logger;
  /** Put before every topic and group name, such as `acme.`. @default '' */
  readonly prefix?: string;
  /** Rebuild a task by itself when its state is ahead of the log (embedded log after a power loss). @default false */
  readonly rebuildAlone?: boolean;
}

/** A running part: closes idempotently. */
export interface Running {
  /** Resolves when every partition that this member was given is open and has caught up with the end it saw at its start. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

/** What one task looks like from outside; exported as metrics. */
export interface TaskStats {
  readonly task: string;
  /** Next offset to process. */
  readonly position: number;
  /** End of the partition as last heard. */
  readonly endOffset: number;
  readonly queuedRecords: number;
  /** Taken from the queue and not committed. */
  readonly takenRecords: number;
  readonly timers: number;
  /** Counters of the committed state: `in`, `folded`, `repeats`, `gaps`, `dead`, `ticks`, `out` and the topology's own. */
  readonly counters: Readonly<Record<string, number>>;
  readonly commits: number;
  readonly commitMsSum: number;
  /** Append time of the newest processed record, milliseconds; 0 before the first. */
  readonly timeMs: number;
  readonly status: 'opening' | 'running' | 'reopening' | 'failed' | 'closed';
}

/** What runs elsewhere in this process. */
export interface TaskReports {
  /** As last heard. */
  stats(): readonly TaskStats[];
  /** Asks for them. */
  statsNow(): Promise<readonly TaskStats[]>;
  stopped(): readonly string[];
}

/**
 * The engine as services, the CLI and tests see it. `createRuntime` in `create-runtime.ts` makes one.
 */
export interface Runtime {
  readonly parts: EngineParts;
  /** For open topics: `codec.prepare`, then `parseOpen` of `schemas/codec/open-events.ts`. */
  readonly codec: EventCodec;
  /** Real name of a catalogue topic. */
  topic(name: string): string;
  partitions(topic: string): number;
  runTopology(topology: AnyTopology): Promise<Running>;
  runService(service: Service): Promise<Running>;
  /** Fills the store's tables with what the log says, and keeps them in step. Closing it leaves the store open. */
  runProjection<Tables extends TableSpecs, T extends EventTopic>(
    projection: Projection<Tables, T>,
    store: QueryStore<Tables>,
  ): Promise<RunningProjection>;
  /** Encodes and appends; resolves when acknowledged. Ids make repeats harmless. */
  publish(outputs: readonly IdentifiedOutput[]): Promise<readonly PublishedAt[]>;
  /** A view of a compacted topic, kept up to date. */
  openTable<T extends TableTopic>(topic: T): Promise<Table<T>>;
  /** Follows a topic from a position without a group; repeats (same ce_id) are dropped. */
  follow<T extends EventTopic>(topic: T, options: FollowOptions<T>): Promise<Running>;
  decode<T extends EventTopic>(topic: T, record: LogRecord): Promise<FollowedEvent<T>>;
  /** Counts the tasks of another thread among those of this process, from now on. */
  include(others: TaskReports): void;
  /** Every task of this process; those of other threads as last heard, which is a quarter of a second ago at most. */
  stats(): readonly TaskStats[];
  /** The same, asked of other threads anew: what was delivered to them before the call counts. */
  statsNow(): Promise<readonly TaskStats[]>;
  /** What has stopped here and will not go on by itself: tasks, subscriptions, projections, tables, followers. */
  stopped(): readonly string[];
  close(): Promise<void>;
}

export interface PublishedAt {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

export type TableTopic = 'flows' | 'models' | 'deployments' | 'routers' | 'webhooks';

export interface Table<T extends TableTopic> {
  /** The row as known now. */
  get(key: string): EventOf<T>['data'] | undefined;
  /** Like `get`, but a miss reads the table to its present end first. */
  find(key: string): Promise<EventOf<T>['data'] | undefined>;
  rows(): readonly EventOf<T>['data'][];
  /** Reads to the present end. */
  refresh(): Promise<void>;
  /** Called for each row that is set (or forgotten: undefined) from now on. */
  onChange(listener: (key: string, row: EventOf<T>['data'] | undefined) => void): void;
  close(): Promise<void>;
}

export type FollowedEvent<T extends EventTopic> = RecordMeta & EventOf<T>;

export interface FollowOptions<T extends EventTopic> {
  /** @default 'latest' */
  readonly from?: 'earliest' | 'latest' | readonly number[];
  readonly onEvent: (event: FollowedEvent<T>) => void;
  /** Compacted topics: the key was forgotten. */
  readonly onTombstone?: (key: string) => void;
  /** A record that cannot be decoded. @default it is logged */
  readonly onPoison?: (record: LogRecord, error: unknown) => void;
  /** Nothing more will come: the subscription died, or `from` lies beyond the end. @default it is among what has `stopped` */
  readonly onStopped?: (error: unknown) => void;
}
