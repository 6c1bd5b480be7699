import { createRequire } from 'node:module';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { MillraceError } from '../../ports/errors.ts';
import { type WireBroker, type WireCluster, type WireMetadata } from './kafkajs-internals.ts';

/**
 * Everything in which this project departs from kafkajs 2.2.4, each with a test that fails without it:
 *
 * 1. its request queues re-arm a timer for ever, about 880 times a second in an idle process (guarded, for the whole process: it changes nothing else);
 * 2. two requests that find a connection closed open a socket each, and mix their answers (one connects, the other waits; for the whole process);
 * 3. one partition without a leader makes the metadata of all topics unreadable (lenient, for our own clusters only);
 * 4. its sockets wait for small packets to fill, and one that it gave up connecting stays, whose late error rejects the requests of its
 *    successor (TCP_NODELAY, and an end to the attempt, for our own sockets only);
 * 5. a broker that is too slow to say which versions it speaks counts as connected from then on, and every request to it fails for as long
 *    as the socket stands (it counts as connected once it has said so, for our own clusters only).
 */
const kafkajsVersion = '2.2.4';

const load = createRequire(import.meta.url);

interface RequestQueue {
  readonly pending: readonly unknown[];
  readonly throttledUntil: number;
  scheduleCheckPendingRequests(): void;
}

let mended = false;

/** Loads a private module of kafkajs, mended. The version is asserted: private modules may change in any release. */
export function loadKafkajs<T>(path: string): T {
  if (!mended) {
    const { version } = load('kafkajs/package.json') as { readonly version: string };
    if (version !== kafkajsVersion) {
      const message = `This adapter uses private parts of kafkajs ${kafkajsVersion}, but found ${version}. Install that very version.`;
      throw new MillraceError('UNSUPPORTED', message);
    }
    guardTimer(load('kafkajs/src/network/requestQueue') as { readonly prototype: RequestQueue });
    shareConnect(load('kafkajs/src/network/connection') as { readonly prototype: Connection });
    mended = true;
  }
  return load(`kafkajs/src/${path}`) as T;
}

/** Nothing is waiting and nothing is throttled: then there is nothing to check later. */
function guardTimer({ prototype }: { readonly prototype: RequestQueue }): void {
  const schedule = prototype.scheduleCheckPendingRequests;
  prototype.scheduleCheckPendingRequests = function guarded(this: RequestQueue): void {
    if (this.pending.length > 0 || this.throttledUntil > Date.now()) schedule.call(this);
  };
}

interface Connection {
  connect(): Promise<unknown>;
}

function shareConnect({ prototype }: { readonly prototype: Connection }): void {
  const connect = prototype.connect;
  const underWay = new WeakMap<Connection, Promise<unknown>>();
  prototype.connect = function shared(this: Connection): Promise<unknown> {
    const known = underWay.get(this);
    if (known !== undefined) return known;
    const connecting = connect.call(this).finally(() => underWay.delete(this));
    underWay.set(this, connecting);
    return connecting;
  };
}

/**
 * Brokers of this cluster answer metadata also when a topic is unknown or a partition has no leader (its leader is then -1), and are connected
 * only when it is known which versions they speak.
 */
export function mendBrokers({ brokerPool }: WireCluster): void {
  const { lookup, requests } = loadKafkajs<{ readonly lookup: Lookup; readonly requests: Record<string, unknown> }>(
    'protocol/requests',
  );
  const apiKeys = loadKafkajs<Record<string, number>>('protocol/requests/apiKeys');
  const create = brokerPool.createBroker;
  brokerPool.createBroker = (options) => {
    const broker = create(options) as MendedBroker;
    const isConnected = broker.isConnected.bind(broker);
    broker.isConnected = () => broker.versions !== null && isConnected();
    broker.metadata = async (topics) => {
      const metadata = lookup(broker.versions)(apiKeys['Metadata'], requests['Metadata']);
      const { request, response } = metadata({ topics, allowAutoTopicCreation: false });
      const lenient = { decode: response.decode, parse: (data: WireMetadata) => Promise.resolve(data) };
      return broker.connectionPool.send({ request, response: lenient });
    };
    return broker;
  };
}

type MendedBroker = WireBroker & { readonly versions: unknown; isConnected(): boolean };

type Lookup = (versions: unknown) => (
  apiKey: unknown,
  definition: unknown,
) => (options: unknown) => {
  readonly request: Parameters<WireBroker['connectionPool']['send']>[0]['request'];
  readonly response: { decode(payload: Buffer): Promise<WireMetadata> };
};

export interface SocketOptions {
  readonly host: string;
  readonly port: number;
  readonly ssl: ConnectionOptions | undefined;
  readonly onConnect: () => void;
  /** After which kafkajs gives an attempt up. */
  readonly connectionTimeoutMs: number;
}

/** Requests are written whole: waiting for more bytes only delays them. */
export function openSocket({ host, port, ssl, onConnect, connectionTimeoutMs }: SocketOptions): Socket {
  const named = isIP(host) ? {} : { servername: host };
  const socket = ssl ? connectTls({ host, port, ...named, ...ssl }, onConnect) : connectTcp({ host, port }, onConnect);
  socket.setNoDelay(true);
  socket.setKeepAlive(true, 60_000);
  socket.setMaxListeners(0); // kafkajs may disconnect it many times before it is connected, and leaves a listener each time
  const attempt = setTimeout(() => socket.destroy(), connectionTimeoutMs);
  socket.once('connect', () => clearTimeout(attempt)).once('close', () => clearTimeout(attempt));
  return socket;
}
