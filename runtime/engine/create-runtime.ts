import { EventCodec } from '../../schemas/codec/event-codec.ts';
import { publishedBy } from '../../schemas/derived-ids.ts';
import type { EventTopic } from '../../schemas/events.ts';
import { recordBytesMax, type TopicEntry, type TopicName, topicNames, topics } from '../../schemas/topics.ts';
import { MillraceError } from '../ports/errors.ts';
import type { LogRecord, TopicConfig } from '../ports/log.ts';
import type { QueryStore, TableSpecs } from '../ports/query-store.ts';
import type { EngineContext } from './engine-context.ts';
import { foldTarget, idWindowOf, inputOf, isRaw } from './fold-target.ts';
import { Follower } from './follower.ts';
import type { Projection, RunningProjection } from './projection.ts';
import { ProjectionRunner } from './projection-runner.ts';
import { publish } from './publisher.ts';
import { RecordDecoder } from './record-decoder.ts';
import type {
  EngineParts,
  FollowedEvent,
  FollowOptions,
  PublishedAt,
  Running,
  Runtime,
  Table,
  TableTopic,
  TaskReports,
  TaskStats,
} from './runtime.ts';
import type { IdentifiedOutput, Service } from './service.ts';
import { ServiceTask } from './service-task.ts';
import { SnapshotKeeper } from './snapshots.ts';
import { FollowedTable } from './table.ts';
import { TaskHost } from './task-host.ts';
import { Ticks } from './ticks.ts';
import type { AnyTopology } from './topology.ts';
import { TopologyTask } from './topology-task.ts';

export interface RuntimeOptions {
  /** Records one fold batch holds at most. @default 1000 */
  readonly batchRecords?: number;
  /** Records between two snapshots of a task. @default 100000 */
  readonly snapshotEveryRecords?: number;
  /** Copies of each partition on Kafka. @default 1 */
  readonly replication?: number;
  /** Partition counts other than the catalogue's, for tests. */
  readonly partitions?: Partial<Record<TopicName, number>>;
}

/** Creates the topics that are missing, registers the schemas, and is ready to run topologies and services on the given parts. */
export async function createRuntime(parts: EngineParts, options: RuntimeOptions = {}): Promise<Runtime> {
  const prefix = parts.prefix ?? '';
  const replication = options.replication ?? 1;
  const partitionsOf = (name: TopicName): number => options.partitions?.[name] ?? topics[name].partitions;
  await parts.log.ensureTopics(topicNames.map((name) => topicConfig(name, prefix, partitionsOf(name), replication)));
  const codec = await EventCodec.create(parts.registry, prefix);
  const encoding = {
    codec,
    blobs: parts.blobs,
    topic: (name: string) => prefix + name,
    partitions: (name: string) => partitionsOf(name as TopicName),
  };
  const context: EngineContext = {
    parts,
    encoding,
    decoder: new RecordDecoder({ codec, blobs: parts.blobs, clock: parts.clock, logger: parts.logger }),
    snapshots: new SnapshotKeeper(parts, encoding, options.snapshotEveryRecords ?? 100_000),
    ticks: new Ticks(parts),
  };
  return new EngineRuntime(context, codec, prefix, options);
}

/** A catalogue entry as the log needs it. */
export function topicConfig(name: TopicName, prefix: string, partitions: number, replication: number): TopicConfig {
  const { cleanup, retentionMs }: TopicEntry = topics[name];
  return {
    name: prefix + name,
    partitions,
    cleanup,
    ...(retentionMs === undefined ? {} : { retentionMs }),
    recordBytesMax,
    replication,
    minInsyncReplicas: Math.max(1, replication - 1),
  };
}

class EngineRuntime implements Runtime {
  readonly parts: EngineParts;
  readonly codec: EventCodec;
  readonly #context: EngineContext;
  readonly #prefix: string;
  readonly #options: RuntimeOptions;
  readonly #hosts = new Set<TaskHost>();
  readonly #projections = new Set<ProjectionRunner>();
  readonly #followers = new Set<Follower<EventTopic> | FollowedTable<TableTopic>>();
  readonly #others: TaskReports[] = [];

  constructor(context: EngineContext, codec: EventCodec, prefix: string, options: RuntimeOptions) {
    this.parts = context.parts;
    this.codec = codec;
    this.#context = context;
    this.#prefix = prefix;
    this.#options = options;
  }

  topic(name: string): string {
    return this.#context.encoding.topic(name);
  }

  partitions(topic: string): number {
    return this.#context.encoding.partitions(topic);
  }

  async runTopology(topology: AnyTopology): Promise<Running> {
    const input = inputOf(topology);
    const group = this.#prefix + topology.name;
    if (!isRaw(topology) && topics[input].access === 'open') {
      throw new MillraceError(
        'INVALID_ARGUMENT',
        `topology ${topology.name} folds the open topic ${input}: forward it to a closed one`,
      );
    }
    return await this.#host(group, [input], (environment) => {
      return new TopologyTask(this.#context, {
        ...environment,
        target: foldTarget(topology),
        raw: isRaw(topology),
        idWindow: idWindowOf(topology),
        task: `${group}/${input}/${environment.partition.partition}`,
        batchRecords: this.#options.batchRecords ?? 1_000,
        lingerMs: topology.lingerMs ?? 0,
      });
    });
  }

  async runService(service: Service): Promise<Running> {
    const group = this.#prefix + service.name;
    return await this.#host(group, service.inputs, (environment) => {
      const input = service.inputs.find((name) => this.topic(name) === environment.partition.topic);
      if (input === undefined)
        throw new MillraceError(
          'INTERNAL',
          `${service.name} was given ${environment.partition.topic}, which it does not read`,
        );
      const name = `${group}/${input}/${environment.partition.partition}`;
      return new ServiceTask(this.#context, service, input, name, environment);
    });
  }

  async runProjection<Tables extends TableSpecs, T extends EventTopic>(
    projection: Projection<Tables, T>,
    store: QueryStore<Tables>,
  ): Promise<RunningProjection> {
    const runner = new ProjectionRunner(
      this.#context,
      projection as unknown as Projection,
      store as unknown as QueryStore,
    );
    this.#projections.add(runner);
    try {
      await runner.start();
      return runner;
    } catch (error) {
      this.#projections.delete(runner);
      await runner.close();
      throw error;
    }
  }

  async publish(outputs: readonly IdentifiedOutput[]): Promise<readonly PublishedAt[]> {
    return await publish(outputs, publishedBy, this.#context);
  }

  async openTable<T extends TableTopic>(topic: T): Promise<Table<T>> {
    const table = await FollowedTable.open(this.#context, topic);
    this.#followers.add(table as never);
    return table;
  }

  async follow<T extends EventTopic>(topic: T, options: FollowOptions<T>): Promise<Running> {
    const follower = new Follower(this.#context, topic, options);
    await follower.start();
    this.#followers.add(follower as never);
    return {
      ready: () => follower.ready(),
      close: async () => {
        this.#followers.delete(follower as never);
        await follower.close();
      },
    };
  }

  async decode<T extends EventTopic>(topic: T, record: LogRecord): Promise<FollowedEvent<T>> {
    const [decoded] = await this.#context.decoder.decode([record], topic, 0, new AbortController().signal);
    if (decoded?.error instanceof Error) throw decoded.error;
    if (decoded?.input === undefined) {
      throw new MillraceError('POISON_RECORD', `${record.topic}/${record.partition}@${record.offset} holds no event`);
    }
    return decoded.input as FollowedEvent<T>;
  }

  include(others: TaskReports): void {
    this.#others.push(others);
  }

  stats(): readonly TaskStats[] {
    return [...this.#hosts, ...this.#projections, ...this.#others].flatMap((part) => part.stats());
  }

  async statsNow(): Promise<readonly TaskStats[]> {
    const others = (await Promise.all(this.#others.map((part) => part.statsNow()))).flat();
    return [...[...this.#hosts, ...this.#projections].flatMap((host) => host.stats()), ...others];
  }

  stopped(): readonly string[] {
    return [...this.#hosts, ...this.#projections, ...this.#followers, ...this.#others].flatMap((part) =>
      part.stopped(),
    );
  }

  async close(): Promise<void> {
    await Promise.all([...this.#hosts].map((host) => host.close()));
    await Promise.all([...this.#projections].map((projection) => projection.close()));
    await Promise.all([...this.#followers].map((follower) => follower.close()));
  }

  async #host(
    group: string,
    inputs: readonly string[],
    create: ConstructorParameters<typeof TaskHost>[3],
  ): Promise<Running> {
    const host = new TaskHost(
      this.#context,
      group,
      inputs.map((input) => this.topic(input)),
      create,
    );
    await host.start();
    this.#hosts.add(host);
    return host;
  }
}
