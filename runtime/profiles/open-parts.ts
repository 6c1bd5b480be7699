import { join } from 'node:path';
import pino from 'pino';
import { uuidIds } from '../adapters/uuid-ids.ts';
import type { Configuration } from '../config/settings.ts';
import type { EngineParts, Logger } from '../engine/runtime.ts';
import { systemClock } from '../ports/clock.ts';
import { MillraceError, messageOf } from '../ports/errors.ts';

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
    : await openCluster(configuration, logger);
}

export function createLogger(configuration: Configuration): Logger {
  return pino(
    { level: configuration['log.level'], base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  );
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
    const lock = closers.add(await lockDirectory(directory, { formatVersion: 1 }), (held) => held.release());
    const log = closers.add(
      await openEmbeddedLog({ directory: join(directory, 'log'), durability, lock: false }),
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

async function openCluster(configuration: Configuration, logger: Logger): Promise<OpenedParts> {
  const { openKafkaLog } = await import('../adapters/kafka-log/kafka-log.ts');
  const { openRedisStateStore } = await import('../adapters/state/redis-state-store.ts');
  const { openS3BlobStore } = await import('../adapters/blobs/s3-blob-store.ts');
  const { openConfluentSchemaRegistry } = await import('../adapters/registry/confluent-schema-registry.ts');
  const closers = new Closers();
  const named = async <T extends { close(): Promise<void> }>(
    what: string,
    address: string,
    open: () => Promise<T>,
  ): Promise<T> => {
    try {
      return closers.add(await open(), (part) => part.close());
    } catch (cause) {
      throw new MillraceError('UNAVAILABLE', `${what} at ${address} cannot be used: ${messageOf(cause)}`, { cause });
    }
  };
  try {
    const prefix = configuration['kafka.prefix'];
    const log = await named('Kafka', configuration['kafka.bootstrap'], async () =>
      openKafkaLog(await kafkaOptions(configuration)),
    );
    const state = await named('Redis', configuration['redis.url'], () =>
      openRedisStateStore({
        url: configuration['redis.url'],
        prefix: `${prefix}millrace`,
        cluster: configuration['redis.cluster'],
      }),
    );
    const blobs = await named('S3', configuration['s3.endpoint'], () =>
      openS3BlobStore({
        endpoint: configuration['s3.endpoint'],
        region: configuration['s3.region'],
        bucket: configuration['s3.bucket'],
        credentials: {
          accessKeyId: configuration['s3.access_key_id'],
          secretAccessKey: configuration['s3.secret_access_key'],
        },
        forcePathStyle: true,
      }),
    );
    const registry = await named('the schema registry', configuration['registry.url'], () =>
      Promise.resolve(openConfluentSchemaRegistry({ url: configuration['registry.url'] })),
    );
    const parts: EngineParts = {
      log,
      state,
      blobs,
      registry,
      clock: systemClock,
      ids: uuidIds,
      logger,
      prefix,
      rebuildAlone: configuration['engine.rebuild_alone'],
    };
    return { parts, setAddress: () => undefined, close: () => closers.close() };
  } catch (error) {
    await closers.close();
    throw error;
  }
}

async function kafkaOptions(
  configuration: Configuration,
): Promise<Parameters<typeof import('../adapters/kafka-log/kafka-log.ts').openKafkaLog>[0]> {
  const brokers = configuration['kafka.bootstrap'].split(',').map((address) => address.trim());
  const mechanism = configuration['kafka.sasl_mechanism'] as '' | 'plain' | 'scram-sha-256' | 'scram-sha-512';
  const authority = configuration['kafka.tls_ca'];
  const { readFile } = await import('node:fs/promises');
  const ca = authority === '' ? undefined : await readFile(authority, 'utf8');
  return {
    brokers,
    clientId: 'millrace',
    ...(configuration['kafka.tls'] ? { ssl: ca === undefined ? true : { ca: [ca] } } : {}),
    ...(mechanism === ''
      ? {}
      : {
          sasl: {
            mechanism,
            username: configuration['kafka.sasl_username'],
            password: configuration['kafka.sasl_password'],
          },
        }),
  };
}

/** Closes in the reverse order of opening, once. */
class Closers {
  readonly #closers: (() => Promise<void> | void)[] = [];

  add<T>(part: T, close: (part: T) => Promise<void> | void): T {
    this.#closers.push(() => close(part));
    return part;
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
  }
}
