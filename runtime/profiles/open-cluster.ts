import { uuidIds } from '../adapters/uuid-ids.ts';
import { environmentName, type Configuration, type SettingName } from '../config/settings.ts';
import type { EngineParts, Logger } from '../engine/runtime.ts';
import { systemClock } from '../ports/clock.ts';
import { MillraceError, messageOf } from '../ports/errors.ts';
import { Closers } from './closers.ts';
import type { OpenedParts } from './open-parts.ts';

/** A service of the cluster profile: what it is called, the setting that says where it is, and how it is opened, which asks it something. */
export interface ClusterService<Part extends { close(): Promise<void> }> {
  readonly name: string;
  readonly setting: SettingName;
  open(configuration: Configuration, logger: Logger): Promise<Part>;
}

export const clusterServices = {
  log: { name: 'Kafka', setting: 'kafka.bootstrap', open: openLog } satisfies ClusterService<EngineParts['log']>,
  state: { name: 'Redis', setting: 'redis.url', open: openState } satisfies ClusterService<EngineParts['state']>,
  blobs: { name: 'S3', setting: 's3.endpoint', open: openBlobs } satisfies ClusterService<EngineParts['blobs']>,
  registry: {
    name: 'the schema registry',
    setting: 'registry.url',
    open: openRegistry,
  } satisfies ClusterService<EngineParts['registry']>,
};

/** Where a service is, and which setting says so; without the password that an address may have. */
export function placeOf(setting: SettingName, configuration: Configuration): string {
  return `${withoutPassword(String(configuration[setting]))} (${setting}, ${environmentName(setting)})`;
}

/** Opens Kafka, Redis, S3 and the schema registry, all at once; one error names each that cannot be used, and the setting that says where it is. */
export async function openCluster(configuration: Configuration, logger: Logger): Promise<OpenedParts> {
  const closers = new Closers();
  const problems: string[] = [];
  const causes: unknown[] = [];
  const named = async <T extends { close(): Promise<void> }>(service: ClusterService<T>): Promise<T | undefined> => {
    try {
      return closers.add(await service.open(configuration, logger), (part) => part.close());
    } catch (cause) {
      const place = placeOf(service.setting, configuration);
      problems.push(`${service.name} at ${place} cannot be used: ${messageOf(cause)}`);
      causes.push(cause);
      return undefined;
    }
  };
  const prefix = configuration['kafka.prefix'];
  const [log, state, blobs, registry] = await Promise.all([
    named<EngineParts['log']>(clusterServices.log),
    named<EngineParts['state']>(clusterServices.state),
    named<EngineParts['blobs']>(clusterServices.blobs),
    named<EngineParts['registry']>(clusterServices.registry),
  ]);
  if (log === undefined || state === undefined || blobs === undefined || registry === undefined) {
    await closers.close();
    const what = problems.length === 1 ? problems[0] : `\n- ${problems.sort().join('\n- ')}`;
    throw new MillraceError('UNAVAILABLE', `the cluster profile cannot start: ${what ?? ''}`, {
      cause: causes[0],
      details: { problems },
    });
  }
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
}

function withoutPassword(address: string): string {
  return address.replace(/\/\/[^@/]*@/, '//');
}

async function openLog(configuration: Configuration, logger: Logger): Promise<EngineParts['log']> {
  const { openKafkaLog } = await import('../adapters/kafka-log/kafka-log.ts');
  const brokers = configuration['kafka.bootstrap'];
  const mechanism = configuration['kafka.sasl_mechanism'] as '' | 'plain' | 'scram-sha-256' | 'scram-sha-512';
  const authority = configuration['kafka.tls_ca'];
  const { readFile } = await import('node:fs/promises');
  const ca = authority === '' ? undefined : await readFile(authority, 'utf8');
  const sessionTimeoutMs = configuration['kafka.session_timeout_ms'];
  return await openKafkaLog({
    brokers,
    clientId: 'millrace',
    // never as errors: the client tries again, and what fails for good is told to who asked for it
    onClientLog: ({ message, details }) => logger.warn(details, `Kafka client: ${message}`),
    sessionTimeoutMs,
    heartbeatIntervalMs: Math.floor(sessionTimeoutMs / 6),
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
  });
}

async function openState(configuration: Configuration): Promise<EngineParts['state']> {
  const { openRedisStateStore } = await import('../adapters/state/redis-state-store.ts');
  return await openRedisStateStore({
    url: configuration['redis.url'],
    prefix: `${configuration['kafka.prefix']}millrace`,
    cluster: configuration['redis.cluster'],
  });
}

async function openBlobs(configuration: Configuration): Promise<EngineParts['blobs']> {
  const { openS3BlobStore } = await import('../adapters/blobs/s3-blob-store.ts');
  const endpoint = configuration['s3.endpoint'] === '' ? undefined : configuration['s3.endpoint'];
  const accessKeyId = configuration['s3.access_key_id'];
  const secretAccessKey = configuration['s3.secret_access_key'];
  return await openS3BlobStore({
    endpoint,
    region: configuration['s3.region'],
    bucket: configuration['s3.bucket'],
    credentials: accessKeyId === '' ? undefined : { accessKeyId, secretAccessKey },
    forcePathStyle: endpoint !== undefined,
  });
}

/** The registry's client asks nothing until it must: it is asked here, so that a wrong address is known before work begins. */
async function openRegistry(configuration: Configuration): Promise<EngineParts['registry']> {
  const { openConfluentSchemaRegistry } = await import('../adapters/registry/confluent-schema-registry.ts');
  const registry = await openConfluentSchemaRegistry({ url: configuration['registry.url'] });
  try {
    await registry.latest('millrace');
  } catch (error) {
    await registry.close();
    throw error;
  }
  return registry;
}
