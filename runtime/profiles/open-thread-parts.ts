import { join } from 'node:path';
import type { MessagePort } from 'node:worker_threads';
import { openDirectoryBlobStore } from '../adapters/blobs/directory-blob-store.ts';
import { openEmbeddedSchemaRegistry } from '../adapters/registry/embedded-schema-registry.ts';
import { openLmdbStateStore } from '../adapters/state/lmdb-state-store.ts';
import { connectLog, type LogLoss } from '../adapters/thread-log/connect-log.ts';
import { uuidIds } from '../adapters/uuid-ids.ts';
import type { Configuration } from '../config/settings.ts';
import type { EngineParts } from '../engine/runtime.ts';
import { systemClock } from '../ports/clock.ts';
import { Closers } from './closers.ts';
import { createLogger } from './logger.ts';

/**
 * The parts of the local profile for a further thread of the process that opened them: the log by `port`, state and blobs from the same
 * directories. The schemas of the catalogue are registered already, so the registry's file is only read.
 */
export async function openThreadParts(
  configuration: Configuration,
  port: MessagePort,
  loss: LogLoss,
): Promise<{ readonly parts: EngineParts; close(): Promise<void> }> {
  const { directory } = configuration;
  const durability = configuration.durability as 'process' | 'disk';
  const closers = new Closers();
  const log = closers.add(connectLog(port, loss), (part) => part.close());
  const state = closers.add(
    await openLmdbStateStore({ directory: join(directory, 'state'), durability, shared: true }),
    (part) => part.close(),
  );
  const blobs = closers.add(await openDirectoryBlobStore({ directory: join(directory, 'blobs'), durability }), (part) =>
    part.close(),
  );
  const registry = closers.add(await openEmbeddedSchemaRegistry({ directory: join(directory, 'registry') }), (part) =>
    part.close(),
  );
  return {
    parts: {
      log,
      state,
      blobs,
      registry,
      clock: systemClock,
      ids: uuidIds,
      logger: createLogger(configuration),
      rebuildAlone: true,
    },
    close: () => closers.close(),
  };
}
