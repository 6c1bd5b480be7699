import { join } from 'node:path';
import { uuidIds } from '../adapters/uuid-ids.ts';
import type { Configuration } from '../config/settings.ts';
import type { EngineParts, Logger } from '../engine/runtime.ts';
import { systemClock } from '../ports/clock.ts';
import { messageOf } from '../ports/errors.ts';
import { Closers } from './closers.ts';
import { createLogger } from './logger.ts';

/** Of the directory of the local profile. */
export const directoryFormat = 1;

/** The parts of a profile, and how to give them back. */
export interface OpenedParts {
  readonly parts: EngineParts;
  /** Tells other processes where the instance that uses the directory answers (local profile). */
  setAddress(url: string): void;
  close(): Promise<void>;
}

/**
 * Opens log, state, blobs and registry as the configuration says. Adapters are imported only when they are used, so the local profile
 * never loads a Kafka, Redis or S3 client. A failure closes what was opened before.
 */
export async function openParts(configuration: Configuration): Promise<OpenedParts> {
  const logger = createLogger(configuration);
  return configuration.profile === 'local'
    ? await openLocal(configuration, logger)
    : await (await import('./open-cluster.ts')).openCluster(configuration, logger);
}

async function openLocal(configuration: Configuration, logger: Logger): Promise<OpenedParts> {
  const { directory } = configuration;
  const durability = configuration.durability as 'process' | 'disk';
  const { lockDirectory } = await import('../adapters/directory-lock.ts');
  const { openEmbeddedLog } = await import('../adapters/embedded-log/embedded-log.ts');
  const { openLmdbStateStore } = await import('../adapters/state/lmdb-state-store.ts');
  const { openDirectoryBlobStore } = await import('../adapters/blobs/directory-blob-store.ts');
  const { openEmbeddedSchemaRegistry } = await import('../adapters/registry/embedded-schema-registry.ts');
  const closers = new Closers();
  try {
    const lock = closers.add(await lockDirectory(directory, { formatVersion: directoryFormat }), (held) =>
      held.release(),
    );
    const log = closers.add(
      await openEmbeddedLog({
        directory: join(directory, 'log'),
        durability,
        lock: false,
        onProblem: (error) =>
          logger.warn({ error: messageOf(error) }, 'work of the log in the background failed; it is tried again'),
      }),
      (part) => part.close(),
    );
    const state = closers.add(
      await openLmdbStateStore({
        directory: join(directory, 'state'),
        durability,
        onDiscarded: (discarded) =>
          logger.warn({ directory: discarded }, 'the state was discarded; it is rebuilt from the log'),
      }),
      (part) => part.close(),
    );
    const blobs = closers.add(
      await openDirectoryBlobStore({ directory: join(directory, 'blobs'), durability }),
      (part) => part.close(),
    );
    const registry = closers.add(await openEmbeddedSchemaRegistry({ directory: join(directory, 'registry') }), (part) =>
      part.close(),
    );
    const parts: EngineParts = {
      log,
      state,
      blobs,
      registry,
      clock: systemClock,
      ids: uuidIds,
      logger,
      rebuildAlone: true,
    };
    return { parts, setAddress: (url) => lock.setAddress(url), close: () => closers.close() };
  } catch (error) {
    await closers.close();
    throw error;
  }
}
