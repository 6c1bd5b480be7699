import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type WireCluster, type WireMetadata } from '../../../runtime/adapters/kafka-log/kafkajs-internals.ts';
import { loadKafkajs, mendBrokers, openSocket } from '../../../runtime/adapters/kafka-log/kafkajs-mends.ts';

const logger = {
  debug: () => undefined,
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  namespace: () => logger,
};

const rest = { ssl: undefined, onConnect: () => undefined, connectionTimeoutMs: 1_000 };

describe('the request queue of kafkajs', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('sets no timer when nothing is pending and nothing is throttled', () => {
    vi.useFakeTimers();
    const queue = createQueue();
    queue.checkPendingRequests();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('still checks later while it is throttled', () => {
    vi.useFakeTimers();
    const queue = createQueue();
    queue.maybeThrottle(50);
    queue.checkPendingRequests();
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(200);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a connection of kafkajs', () => {
  let server: Server;
  let address: AddressInfo;
  const accepted: Socket[] = [];
  beforeEach(async () => {
    accepted.length = 0;
    server = createServer((socket) => accepted.push(socket.on('error', () => undefined)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    address = server.address() as AddressInfo;
  });
  afterEach(() => {
    for (const socket of accepted) socket.destroy();
    server.close();
  });

  it('opens one socket for two requests that find it closed', async () => {
    let opened = 0;
    const connection = createConnection((options) => {
      opened++;
      return openSocket({ ...options, connectionTimeoutMs: 1_000 });
    });
    await Promise.all([connection.connect(), connection.connect()]);
    expect(opened).toBe(1);
    await connection.disconnect();
    await connection.connect();
    expect(opened).toBe(2);
    await connection.disconnect();
  });

  it('does not wait for small packets to fill', async () => {
    const noDelay: unknown[] = [];
    const socket = openSocket({ host: '127.0.0.1', port: address.port, ...rest });
    const original = Reflect.get(socket, '_handle') as { setNoDelay(on: boolean): void };
    vi.spyOn(original, 'setNoDelay').mockImplementation((on) => noDelay.push(on));
    await new Promise((resolve) => socket.once('connect', resolve));
    expect(noDelay).toEqual([true]);
    socket.destroy();
  });

  it('leaves no socket behind that did not connect in time', () => {
    vi.useFakeTimers();
    const socket = openSocket({ host: '127.0.0.1', port: address.port, ...rest });
    vi.advanceTimersByTime(999);
    expect(socket.destroyed).toBe(false);
    vi.advanceTimersByTime(1);
    expect(socket.destroyed).toBe(true);
    vi.useRealTimers();
  });

  function createConnection(socketFactory: (options: Parameters<typeof openSocket>[0]) => Socket) {
    const Connection =
      loadKafkajs<new (options: unknown) => { connect(): Promise<unknown>; disconnect(): Promise<unknown> }>(
        'network/connection',
      );
    return new Connection({
      host: '127.0.0.1',
      port: address.port,
      logger,
      socketFactory,
      connectionTimeout: 1_000,
      requestTimeout: 1_000,
    });
  }
});

describe('metadata', () => {
  const withoutLeader: WireMetadata = {
    topicMetadata: [
      { topicErrorCode: 0, topic: 'sound', partitionMetadata: [{ partitionId: 0, leader: 1 }] },
      { topicErrorCode: 3, topic: 'unknown', partitionMetadata: [] },
      { topicErrorCode: 0, topic: 'orphaned', partitionMetadata: [{ partitionId: 0, leader: -1 }] },
    ],
  };

  it('is read although one topic is unknown and one partition has no leader', async () => {
    const { versions } = loadKafkajs<{ readonly versions: readonly string[] }>('protocol/requests/metadata');
    const maxVersion = Math.max(...versions.map(Number));
    const send = vi.fn(async ({ response }: { readonly response: { parse(data: unknown): Promise<unknown> } }) =>
      response.parse(withoutLeader),
    );
    const broker = {
      versions: { 3: { minVersion: 0, maxVersion } },
      connectionPool: { send },
      isConnected: () => true,
    };
    const cluster = { brokerPool: { createBroker: () => broker } } as unknown as WireCluster;
    mendBrokers(cluster);
    expect(await cluster.brokerPool.createBroker({}).metadata(['sound'])).toBe(withoutLeader);
  });
});

describe('a broker that was too slow to say which versions it speaks', () => {
  it('is asked again over the connection that it has, and is of use then', async () => {
    const answers = [new Error('no answer in time'), { apiVersions: [{ apiKey: 3, minVersion: 0, maxVersion: 5 }] }];
    const connection = { getSupportAuthenticationProtocol: () => false, authenticate: () => Promise.resolve() };
    const connectionPool = {
      connectionTimeout: 1_000,
      isConnected: () => true,
      getConnection: () => Promise.resolve(connection),
      setVersions: () => undefined,
      send: () => {
        const answer = answers.shift();
        return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
      },
    };
    const Broker = loadKafkajs<new (options: object) => { connect(): Promise<void>; isConnected(): boolean }>('broker');
    const cluster = { brokerPool: { createBroker: (options: object) => new Broker(options) } };
    mendBrokers(cluster as unknown as WireCluster);
    const broker = cluster.brokerPool.createBroker({ connectionPool, logger });
    expect(broker.isConnected()).toBe(false);
    await expect(broker.connect()).rejects.toThrow('no answer in time');
    expect(broker.isConnected()).toBe(false);
    await broker.connect();
    expect(broker).toMatchObject({ versions: { 3: { maxVersion: 5 } } });
    expect(broker.isConnected()).toBe(true);
  });
});

interface Queue {
  checkPendingRequests(): void;
  maybeThrottle(timeMs: number): void;
}

function createQueue(): Queue {
  const RequestQueue = loadKafkajs<new (options: unknown) => Queue>('network/requestQueue');
  return new RequestQueue({
    maxInFlightRequests: 1,
    requestTimeout: 1_000,
    enforceRequestTimeout: false,
    clientId: 'test',
    broker: 'test',
    logger,
  });
}
