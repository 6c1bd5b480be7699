/**
 * The platform on the cluster profile, in this process, for the tests beside this file: real Kafka, schema registry, Redis and S3, with a
 * prefix and a bucket of the test's own.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { resolveConfiguration } from '../../../runtime/config/resolve.ts';
import { eventually } from '../../../runtime/testing/test-runtime.ts';
import { type Client, connect } from '../../../sdk/client/index.ts';
import { type Platform, startPlatform } from '../../../services/all-in-one/platform.ts';
import { serviceAddress } from '../../services/service-address.ts';
import { irisDeployment, irisReference } from './iris.ts';

const kafka = serviceAddress('MILLRACE_TEST_KAFKA', 'kafka-up.sh');
const registry = serviceAddress('MILLRACE_TEST_REGISTRY_URL', 'registry-up.sh');
const redis = serviceAddress('MILLRACE_TEST_REDIS_URL', 'redis-up.sh');
const s3 = serviceAddress('MILLRACE_TEST_S3_URL', 's3-up.sh');

/** A service of the cluster profile is not there. */
export const clusterMissing = [kafka, registry, redis, s3].some(({ missing }) => missing);

/** Requests may ask to be answered on this topic. */
export const replyTopic = 'flower-answers';

/** The addresses, for clients outside. */
export const clusterAddresses = { kafka: kafka.address, registry: registry.address };

/** Where the platform finds its services, as its own environment variables. */
export const clusterEnvironment: Readonly<Record<string, string>> = clusterMissing ? {} : environmentOf(s3.address);

function environmentOf(s3Address: string): Readonly<Record<string, string>> {
  const { protocol, host, username, password } = new URL(s3Address);
  return {
    MILLRACE_PROFILE: 'cluster',
    MILLRACE_KAFKA_BOOTSTRAP: kafka.address,
    MILLRACE_REDIS_URL: redis.address,
    MILLRACE_REGISTRY_URL: registry.address,
    MILLRACE_S3_ENDPOINT: `${protocol}//${host}`,
    MILLRACE_S3_ACCESS_KEY_ID: username || 'millrace',
    MILLRACE_S3_SECRET_ACCESS_KEY: password || 'millrace-secret',
  };
}

export class Cluster {
  readonly prefix = `t${randomBytes(4).toString('hex')}.`;
  readonly #directory: string;
  #platform: Platform | undefined;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** A platform of its own, with the iris model deployed. */
  static async start(): Promise<Cluster> {
    const cluster = new Cluster(await mkdtemp(join(tmpdir(), 'millrace-cluster-')));
    try {
      await cluster.open();
      await cluster.#deployIris();
      return cluster;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  get platform(): Platform {
    if (this.#platform === undefined) throw new Error('the platform is not running');
    return this.#platform;
  }

  get url(): string {
    return this.platform.url ?? '';
  }

  get client(): Client {
    return connect({ url: this.url, actor: 'ada' });
  }

  /** Real name of a topic. */
  topic(name: string): string {
    return this.prefix + name;
  }

  /** Makes the topic that requests may be answered on. */
  async makeReplyTopic(): Promise<void> {
    const topic = {
      name: this.topic(replyTopic),
      partitions: 2,
      cleanup: 'delete',
      recordBytesMax: 1_000_000,
    } as const;
    await this.platform.runtime.parts.log.ensureTopics([{ ...topic, replication: 1, minInsyncReplicas: 1 }]);
  }

  /** Starts the platform, again after `stop`: whatever it knew is on the services, or it is lost. */
  async open(): Promise<void> {
    const flags = {
      directory: this.#directory,
      'http.port': '0',
      'log.level': 'error',
      'kafka.prefix': this.prefix,
      'model_server.reply_topics': this.topic(replyTopic),
      's3.bucket': `millrace-${this.prefix.slice(0, -1)}`,
    };
    const configuration = resolveConfiguration({ flags, environment: clusterEnvironment });
    this.#platform = await startPlatform({ configuration });
    await this.#platform.ready();
  }

  /** Closes the platform, and forgets what it kept on this machine. */
  async stop(): Promise<void> {
    await this.#platform?.close();
    this.#platform = undefined;
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** Empties the state store behind the platform's back; answers how many keys it held. */
  loseState(): Promise<number> {
    return loseState(this.prefix);
  }

  async close(): Promise<void> {
    await this.stop();
  }

  async #deployIris(): Promise<void> {
    const { runtime } = this.platform;
    const { blobs } = runtime.parts;
    const { hash, sizeBytes } = await blobs.put(
      await readFile(new URL('../../models/iris-logreg.onnx', import.meta.url)),
    );
    const data = {
      model: 'iris',
      requestId: 'iris-logreg',
      runId: null,
      taskId: null,
      flow: null,
      artifact: { name: 'model', hash, sizeBytes, codec: 'onnx' },
      metrics: {},
      tags: {},
      alias: 'champion',
      description: '',
      actor: 'ada',
    };
    await runtime.publish([{ topic: 'registry', type: 'version-requested', key: 'iris', id: 'iris-logreg', data }]);
    const { client } = this;
    await eventually(
      'the model',
      async () => 'champion' in (await client.models.show('iris').catch(() => none)).aliases,
    );
    const reference = await blobs.put(Buffer.from(JSON.stringify(irisReference())));
    await client.deploy(irisDeployment(reference.hash));
  }
}

/** Empties the state store of a prefix behind the back of whoever uses it; answers how many keys it held. */
export async function loseState(prefix: string): Promise<number> {
  const client = new Redis(redis.address);
  const keys = await client.keys(`*${prefix}millrace*`);
  if (keys.length > 0) await client.del(...keys);
  await client.quit();
  return keys.length;
}

const none = { aliases: {} };
