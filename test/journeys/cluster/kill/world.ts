/** Kafka, Redis and S3 that the kill test may break, and the platform's configuration for them. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import { PrivateBroker } from '../../../runtime/kafka-log/private-broker.ts';
import { type OwnRedis, startOwnRedis } from '../../../runtime/state/own-redis.ts';
import { clusterEnvironment } from '../cluster.ts';

export class BreakableWorld {
  readonly prefix = `k${randomBytes(4).toString('hex')}.`;
  readonly environment: Readonly<Record<string, string>>;
  readonly broker: PrivateBroker;
  readonly #redis: OwnRedis;
  readonly #s3: FaultyS3;

  private constructor(broker: PrivateBroker, redis: OwnRedis, s3: FaultyS3) {
    this.broker = broker;
    this.#redis = redis;
    this.#s3 = s3;
    this.environment = {
      ...clusterEnvironment,
      MILLRACE_KAFKA_BOOTSTRAP: broker.addresses.join(','),
      MILLRACE_KAFKA_PREFIX: this.prefix,
      MILLRACE_KAFKA_SESSION_TIMEOUT_MS: '6000',
      MILLRACE_REDIS_URL: redis.url,
      MILLRACE_S3_ENDPOINT: s3.url,
      MILLRACE_S3_BUCKET: `millrace-${this.prefix.slice(0, -1)}`,
      MILLRACE_MODEL_SERVER_REPLY_TOPICS: this.replyTopic,
      MILLRACE_LOG_LEVEL: 'warn',
      MILLRACE_WORKER_SLOTS: '2',
    };
  }

  static async start(): Promise<BreakableWorld> {
    const broker = await PrivateBroker.start();
    const s3 = await FaultyS3.start(clusterEnvironment['MILLRACE_S3_ENDPOINT'] ?? '');
    return new BreakableWorld(broker, await startOwnRedis(), s3);
  }

  get replyTopic(): string {
    return `${this.prefix}answers`;
  }

  async restartBroker(): Promise<void> {
    await this.broker.signal(1, 'SIGKILL');
    await this.broker.up();
  }

  /** What it acknowledged in the last second may be gone: its file is written once a second. */
  async restartRedis(): Promise<void> {
    const pid = this.#redis.pid();
    process.kill(pid, 'SIGKILL');
    while (isThere(pid)) await new Promise<void>((resolve) => setTimeout(resolve, 10));
    this.#redis.start();
  }

  /** Everything that Redis holds is gone at once; answers how many keys that were. */
  async loseRedis(): Promise<number> {
    const client = new Redis(this.#redis.url);
    try {
      const keys = await client.dbsize();
      await client.flushall();
      return keys;
    } finally {
      client.disconnect();
    }
  }

  /** S3 answers 503 to the next calls; resolves when it has. */
  async failS3(calls: number): Promise<void> {
    await this.#s3.fail(calls);
  }

  async stop(): Promise<void> {
    await Promise.all([this.broker.stop(), this.#redis.stop(), this.#s3.close()]);
  }
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** An S3 server behind a proxy that answers for it when told to. The Host header is passed on: it is signed. */
class FaultyS3 {
  readonly url: string;
  readonly #server: Server;
  #failing = 0;
  #failed: (() => void) | undefined;

  private constructor(server: Server, target: URL) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (from, to) => {
      if (this.#failing > 0) {
        this.#failing -= 1;
        if (this.#failing === 0) this.#failed?.();
        from.resume();
        to.writeHead(503, { 'content-type': 'application/xml', connection: 'close' });
        to.end('<Error><Code>SlowDown</Code><Message>on purpose</Message></Error>');
        return;
      }
      const { method, url, headers } = from;
      const onward = request({ host: target.hostname, port: target.port, method, path: url, headers }, (answer) => {
        to.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(to);
      });
      onward.once('error', () => to.destroy());
      from.pipe(onward);
    });
  }

  static async start(target: string): Promise<FaultyS3> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FaultyS3(server, new URL(target));
  }

  fail(calls: number): Promise<void> {
    this.#failing = calls;
    return new Promise((resolve) => (this.#failed = resolve));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
