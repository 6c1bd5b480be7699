import { createMemoryLog, type MemoryLogStorage } from '../../../runtime/adapters/memory-log.ts';
import { createMemoryStateStore, type MemoryStateStorage } from '../../../runtime/adapters/state/memory-state-store.ts';
import { uuidIds } from '../../../runtime/adapters/uuid-ids.ts';
import { createRuntime } from '../../../runtime/engine/create-runtime.ts';
import type { EngineParts, Runtime } from '../../../runtime/engine/runtime.ts';
import type { BlobStore } from '../../../runtime/ports/blob-store.ts';
import { systemClock } from '../../../runtime/ports/clock.ts';
import { type Log, type LogRecord, partitionName, type SubscriptionHandler } from '../../../runtime/ports/log.ts';
import type { SchemaRegistry } from '../../../runtime/ports/schema-registry.ts';
import type { StateStore, TaskState } from '../../../runtime/ports/state-store.ts';
import { alterLog } from '../../conformance/log/altered-log.ts';
import { createRetention } from '../../../services/log-keeper/retention.ts';
import { nextVersionOf, toyTopologyThatCloses } from './toy-topology.ts';

export interface World {
  readonly log: MemoryLogStorage;
  readonly state: MemoryStateStorage;
  readonly blobs: BlobStore;
  readonly registry: SchemaRegistry;
  /** Records within which an id that comes again is a repeat. */
  readonly idWindow: number;
  /** Version of the topology that processes have which start now. */
  version: 1 | 2;
  /** What the log keeper deleted, by partition: the judge sees the whole log. */
  readonly deleted: Map<string, LogRecord[]>;
  /** Asked at each commit. */
  commitFault(): 'before' | 'after' | undefined;
  /** Plants a defect in the parts of each process, to see that histories find it. */
  alter?(parts: EngineParts): EngineParts;
}

/** Holds or swallows whatever passes: a frozen process holds, a dead one swallows. */
class Gate {
  #state: 'open' | 'frozen' | 'dead' = 'open';
  #held: (() => void)[] = [];

  /** Runs the work when the gate is open; later when it opens again; never when it is dead. */
  pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#state === 'open') return work().then((value) => this.#afterwards(value));
    if (this.#state === 'dead') return new Promise(() => undefined);
    return new Promise((resolve, reject) => this.#held.push(() => void work().then(resolve, reject)));
  }

  now(work: () => void): void {
    if (this.#state === 'open') work();
    else if (this.#state === 'frozen') this.#held.push(work);
  }

  freeze(): void {
    this.#state = 'frozen';
  }

  thaw(): void {
    this.#state = 'open';
    for (const work of this.#held.splice(0)) work();
  }

  kill(): void {
    this.#state = 'dead';
    this.#held = [];
  }

  /** An answer does not reach a process that died meanwhile. */
  #afterwards<T>(value: T): Promise<T> {
    if (this.#state === 'open') return Promise.resolve(value);
    if (this.#state === 'dead') return new Promise(() => undefined);
    return new Promise((resolve) => this.#held.push(() => resolve(value)));
  }
}

/** A simulated process that runs the toy topology on storage that outlives it. */
export class Process {
  readonly #gate = new Gate();
  readonly #log: Log;
  readonly runtime: Runtime;

  private constructor(runtime: Runtime, log: Log, gate: Gate) {
    this.runtime = runtime;
    this.#log = log;
    this.#gate = gate;
  }

  static async start(world: World): Promise<Process> {
    const gate = new Gate();
    const log = createMemoryLog({ storage: world.log, deliveryRecords: 7 });
    const state = createMemoryStateStore({ storage: world.state, commitFault: () => world.commitFault() });
    const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
    const parts: EngineParts = {
      log: gatedLog(archiving(log, world), gate),
      state: gatedState(state, gate),
      blobs: world.blobs,
      registry: world.registry,
      clock: systemClock,
      ids: uuidIds,
      logger: quiet,
      rebuildAlone: true,
    };
    const runtime = await createRuntime(world.alter?.(parts) ?? parts, {
      partitions: { registry: 2 },
      batchRecords: 5,
      snapshotEveryRecords: 10,
    });
    // No model closes while a history is played, so that its state can be judged.
    const first = toyTopologyThatCloses(60_000);
    const topology = { ...(world.version === 1 ? first : nextVersionOf(first)), idWindow: world.idWindow };
    await runtime.runTopology(topology);
    await runtime.runService(
      createRetention({ runtime, topologies: [topology], keepMs: 0, readers: { registry: ['toy'] } }),
    );
    return new Process(runtime, log, gate);
  }

  /** The process ends between two instructions; its partitions go to whoever is left. */
  async kill(): Promise<void> {
    this.#gate.kill();
    await this.#log.close();
  }

  /** The process stops and its session ends; it does not know. */
  async freeze(): Promise<void> {
    this.#gate.freeze();
    await this.#log.close();
  }

  /** The frozen process goes on with what it was about to do: a zombie. */
  thaw(): void {
    this.#gate.thaw();
  }

  async close(): Promise<void> {
    await this.runtime.close();
    await this.#log.close();
  }
}

/** Keeps what is deleted, for the judge. */
function archiving(log: Log, world: World): Log {
  return alterLog(log, {
    truncateBefore: (place, offset) => {
      const name = partitionName(place);
      const gone = world.log.partition(place).records.filter((record) => record.offset < offset);
      world.deleted.set(name, [...(world.deleted.get(name) ?? []), ...gone]);
      return log.truncateBefore(place, offset);
    },
  });
}

function gatedLog(log: Log, gate: Gate): Log {
  return {
    ensureTopics: (topics) => gate.pass(() => log.ensureTopics(topics)),
    partitions: (topic) => gate.pass(() => log.partitions(topic)),
    append: (records) => gate.pass(() => log.append(records)),
    subscribe: (options, handler) => gate.pass(() => log.subscribe(options, gatedHandler(handler, gate))),
    startOffsets: (topic) => gate.pass(() => log.startOffsets(topic)),
    endOffsets: (topic) => gate.pass(() => log.endOffsets(topic)),
    read: (partition, range) => log.read(partition, range),
    committed: (group, topic) => gate.pass(() => log.committed(group, topic)),
    truncateBefore: (partition, offset) => gate.pass(() => log.truncateBefore(partition, offset)),
    close: () => log.close(),
  };
}

function gatedHandler(handler: SubscriptionHandler, gate: Gate): SubscriptionHandler {
  return {
    assigned: (partitions, generation) => gate.pass(() => handler.assigned(partitions, generation)),
    revoked: (partitions, generation) => gate.now(() => handler.revoked(partitions, generation)),
    records: (partition, records, end) => gate.now(() => handler.records(partition, records, end)),
    failed: (error) => gate.now(() => handler.failed(error)),
  };
}

function gatedState(store: StateStore, gate: Gate): StateStore {
  const task = (state: TaskState): TaskState => ({
    task: state.task,
    epoch: state.epoch,
    nonce: state.nonce,
    position: state.position,
    get: (keys) => gate.pass(() => state.get(keys)),
    range: (range) => gate.pass(() => state.range(range)),
    commit: (expected, batch) => gate.pass(() => state.commit(expected, batch)),
    snapshot: () => gate.pass(() => state.snapshot()),
    restore: (position, entries) => gate.pass(() => state.restore(position, entries)),
  });
  return {
    open: (name) => gate.pass(async () => task(await store.open(name))),
    reset: (name) => gate.pass(() => store.reset(name)),
    tasks: () => gate.pass(() => store.tasks()),
    close: () => store.close(),
  };
}
