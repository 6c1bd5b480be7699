/**
 * A whole {@link Runtime} for tests: memory log and state, blobs in a temporary folder. Close it at the end; `restart` closes it and
 * opens another one on the same storage, as a new process would.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDirectoryBlobStore } from '../adapters/blobs/directory-blob-store.ts';
import { createMemoryLog, MemoryLogStorage } from '../adapters/memory-log.ts';
import { openEmbeddedSchemaRegistry } from '../adapters/registry/embedded-schema-registry.ts';
import { createMemoryStateStore, MemoryStateStorage } from '../adapters/state/memory-state-store.ts';
import { uuidIds } from '../adapters/uuid-ids.ts';
import { createRuntime, type RuntimeOptions } from '../engine/create-runtime.ts';
import type { EngineParts, Logger, Runtime } from '../engine/runtime.ts';
import { systemClock } from '../ports/clock.ts';

export interface TestRuntimeOptions extends RuntimeOptions {
  /** Parts to use instead of the default ones; a function makes them anew for each restart. */
  readonly parts?: Partial<EngineParts> | (() => Partial<EngineParts>);
}

export interface TestRuntime {
  readonly runtime: Runtime;
  readonly directory: string;
  /** Log lines of level warn and error. */
  readonly complaints: readonly { readonly facts: object; readonly message: string }[];
  /** Closes the runtime and opens a new one on the same log, state and blobs; with `lost`, on a state store that has lost everything. */
  restart(lost?: 'state'): Promise<Runtime>;
  close(): Promise<void>;
}

export async function createTestRuntime(options: TestRuntimeOptions = {}): Promise<TestRuntime> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-test-'));
  const complaints: { facts: object; message: string }[] = [];
  const complain = (facts: object, message: string): void => void complaints.push({ facts, message });
  const logger: Logger = { debug: () => undefined, info: () => undefined, warn: complain, error: complain };
  const logStorage = new MemoryLogStorage();
  const stateStorage = new MemoryStateStorage();
  const open = async (): Promise<Runtime> => {
    const parts: EngineParts = {
      log: createMemoryLog({ storage: logStorage }),
      state: createMemoryStateStore({ storage: stateStorage }),
      blobs: await openDirectoryBlobStore({ directory: join(directory, 'blobs'), durability: 'process' }),
      registry: await openEmbeddedSchemaRegistry({ directory: join(directory, 'registry') }),
      clock: systemClock,
      ids: uuidIds,
      logger,
      ...(typeof options.parts === 'function' ? options.parts() : options.parts),
    };
    return await createRuntime(parts, options);
  };
  const closeAll = async (runtime: Runtime): Promise<void> => {
    await runtime.close();
    await runtime.parts.log.close();
    await runtime.parts.state.close();
    await runtime.parts.blobs.close();
    await runtime.parts.registry.close();
  };
  let runtime = await open();
  return {
    get runtime() {
      return runtime;
    },
    directory,
    complaints,
    restart: async (lost) => {
      await closeAll(runtime);
      if (lost === 'state') stateStorage.wipe();
      runtime = await open();
      return runtime;
    },
    close: async () => {
      await closeAll(runtime);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A pause between two looks that is longer than this is a process that stood still. */
const pauseMsMax = 500;

/** Waits until the condition holds, or says what it waited for. Time in which this process stood still is not counted. */
export async function eventually<T>(
  what: string,
  condition: () => T | Promise<T>,
  deadlineMs = 20_000,
): Promise<NonNullable<T>> {
  let end = Date.now() + deadlineMs;
  for (;;) {
    const value = await condition();
    if (value !== false && value !== undefined && value !== null) return value;
    const lookedAt = Date.now();
    if (lookedAt > end) throw new Error(`waited ${deadlineMs} ms in vain: ${what}`);
    await new Promise<void>((resolve) => setTimeout(resolve, 5));
    end += Math.max(0, Date.now() - lookedAt - pauseMsMax);
  }
}
