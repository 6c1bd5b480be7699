import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDirectoryBlobStore } from '../../../runtime/adapters/blobs/directory-blob-store.ts';
import { createMemoryLog, MemoryLogStorage } from '../../../runtime/adapters/memory-log.ts';
import { openEmbeddedSchemaRegistry } from '../../../runtime/adapters/registry/embedded-schema-registry.ts';
import { createMemoryStateStore, MemoryStateStorage } from '../../../runtime/adapters/state/memory-state-store.ts';
import { uuidIds } from '../../../runtime/adapters/uuid-ids.ts';
import { createRuntime, type RuntimeOptions } from '../../../runtime/engine/create-runtime.ts';
import type { EngineParts, Runtime } from '../../../runtime/engine/runtime.ts';
import type { Effects, InputEvent, Output, StateView, Topology } from '../../../runtime/engine/topology.ts';
import { systemClock } from '../../../runtime/ports/clock.ts';
import type { LogRecord } from '../../../runtime/ports/log.ts';

export interface WorldOptions extends RuntimeOptions {
  readonly parts?: (usual: EngineParts) => Partial<EngineParts>;
  readonly commitFault?: (task: string) => 'before' | 'after' | undefined;
}

/** Storage that outlives runtimes: each `open` is a new process on it. */
export class World {
  readonly log = new MemoryLogStorage();
  readonly state = new MemoryStateStorage();
  readonly complaints: { facts: object; message: string }[] = [];
  readonly #directory: string;
  readonly #runtimes: Runtime[] = [];

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async create(): Promise<World> {
    return new World(await mkdtemp(join(tmpdir(), 'millrace-world-')));
  }

  /** One partition of `registry`, unless the options say otherwise. */
  async open(options: WorldOptions = {}): Promise<Runtime> {
    const complain = (facts: object, message: string): void => void this.complaints.push({ facts, message });
    const usual: EngineParts = {
      log: createMemoryLog({ storage: this.log }),
      state: createMemoryStateStore({ storage: this.state, commitFault: options.commitFault ?? (() => undefined) }),
      blobs: await openDirectoryBlobStore({ directory: join(this.#directory, 'blobs'), durability: 'process' }),
      registry: await openEmbeddedSchemaRegistry({ directory: join(this.#directory, 'registry') }),
      clock: systemClock,
      ids: uuidIds,
      logger: { debug: () => undefined, info: () => undefined, warn: complain, error: complain },
    };
    const runtime = await createRuntime(
      { ...usual, ...options.parts?.(usual) },
      { ...options, partitions: { registry: 1, operations: 1, ...options.partitions } },
    );
    this.#runtimes.push(runtime);
    return runtime;
  }

  async records(topic: string): Promise<LogRecord[]> {
    return (this.log.topics.get(topic)?.partitions ?? []).flatMap(({ records }) => records);
  }

  /** Writes past the engine, as a client of the log would. */
  async append(
    topic: string,
    headers: Record<string, string | Buffer>,
    value: Buffer | null,
    key: string | null = 'k',
  ): Promise<void> {
    await createMemoryLog({ storage: this.log }).append([{ topic, partition: 0, key, value, headers }]);
  }

  async close(): Promise<void> {
    await Promise.all(this.#runtimes.map((runtime) => runtime.close()));
    await rm(this.#directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 });
  }
}

/** A topology that does what a test wants with each alias request. */
export function scripted(
  fold: (event: Request, state: StateView) => Effects,
  rest: Partial<Topology<'registry'>> = {},
): Topology<'registry'> {
  return {
    name: 'scripted',
    version: 1,
    input: 'registry',
    outputs: ['registry', 'operations'],
    summary: 'does what a test wants',
    fold: (event, state) => (event.type === 'alias-requested' ? fold(event, state) : {}),
    ...rest,
  };
}

export type Request = Extract<InputEvent<'registry'>, { type: 'alias-requested' }>;

/** A small output on `operations`. */
export function say(detail: string, key = 'k'): Output {
  const data = { operationId: 'o', action: 'a', object: 'x', actor: 'test', outcome: 'ok', detail };
  return { topic: 'operations', type: 'operation-recorded', key, data };
}

export function idOf(record: LogRecord): string {
  return record.headers['ce_id']?.toString('utf8') ?? '';
}

/** The details that were said on `operations`, by their ids, repeats among them. */
export async function said(world: World, runtime: Runtime): Promise<(readonly [id: string, detail: string])[]> {
  const found: (readonly [string, string])[] = [];
  for (const record of await world.records('operations')) {
    const { data } = await runtime.decode('operations', record);
    found.push([idOf(record), 'detail' in data ? data.detail : JSON.stringify(data)]);
  }
  return found;
}

export function sum(runtime: Runtime, counter: string): number {
  return runtime.stats().reduce((total, { counters }) => total + (counters[counter] ?? 0), 0);
}
