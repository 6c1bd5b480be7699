import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { MillraceError, messageOf } from '../../ports/errors.ts';
import { limitAnswer } from '../limit-answer.ts';
import type { RedisScript } from './redis-scripts.ts';
import { closed } from './state-checks.ts';

export interface RedisAddress {
  /** One server: `redis://[user:password@]host:port[/db]`; `rediss://` for TLS. */
  readonly url?: string | undefined;
  /** Some nodes of a Redis Cluster, each `host:port` or a URL; the others are found. */
  readonly nodes?: readonly string[] | undefined;
  /** Takes the server of `url` for a node of a cluster. @default false */
  readonly cluster?: boolean | undefined;
  /** A command that has no answer by then has an unknown outcome. @default 15000 */
  readonly timeoutMs?: number | undefined;
}

/** What the store needs of ioredis, over one server or a cluster. */
export interface RedisClient {
  readonly shown: string;
  /** Rejects with CLOSED after `close`. */
  checkOpen(): void;
  /** Runs a script, again when the connection breaks; texts of the answer come as buffers. UNAVAILABLE or DISK_FULL when it fails. */
  ask(script: RedisScript, keys: readonly string[], args: readonly (string | Buffer)[]): Promise<readonly unknown[]>;
  /** Runs a script whose outcome the caller must know: rejects, as ioredis does, as soon as the connection that may carry it breaks. */
  runOnce(script: RedisScript, keys: readonly string[], args: readonly (string | Buffer)[]): Promise<unknown>;
  hmget(key: string, fields: readonly string[]): Promise<readonly (Buffer | null)[]>;
  /** One connection for each master. */
  masters(): readonly Redis[];
  close(): Promise<void>;
}

const reconnectMsMax = 1_000;
/** On one server, a command gives up after this many attempts to connect again. */
const reconnectsMax = 8;

/** Connects in the background: the first command tells whether the server answers. */
export function createRedisClient(address: RedisAddress): RedisClient {
  const timeoutMs = address.timeoutMs ?? 15_000;
  const retry = (attempt: number): number => Math.min(attempt * 50, reconnectMsMax);
  const options = {
    maxRetriesPerRequest: reconnectsMax,
    connectTimeout: 5_000,
    disableClientInfo: true,
    protocol: 2,
  } satisfies RedisOptions;
  const nodes = address.nodes ?? (address.cluster === true && address.url !== undefined ? [address.url] : undefined);
  const client =
    nodes === undefined
      ? new Redis(address.url ?? '', { ...options, retryStrategy: retry })
      : new Cluster(nodes.map(nodeOf), { redisOptions: options, clusterRetryStrategy: retry });
  // Each command rejects by itself; one that waited for a connection in vain does not say why there is none.
  let unreachable: unknown;
  client.on('error', (error: unknown) => (unreachable = error));
  client.on('ready', () => (unreachable = undefined));
  const failed = (error: unknown): MillraceError =>
    redisError(
      shown,
      error instanceof Error && error.name === 'MaxRetriesPerRequestError' ? (unreachable ?? error) : error,
    );
  client.setMaxListeners(0); // one for each commit that is under way

  let closing: Promise<void> | undefined;
  const checkOpen = (): void => {
    if (closing !== undefined) throw closed('state store');
  };
  const close = async (): Promise<void> => {
    if (client.status === 'ready') await client.quit().catch(() => {});
    client.disconnect();
  };
  const shown = nodes?.map(withoutPassword).join(', ') ?? withoutPassword(address.url ?? '');
  const run: RedisClient['runOnce'] = async ({ sha, lua }, keys, args) => {
    try {
      return await within(timeoutMs, client.callBuffer('EVALSHA', sha, keys.length, ...keys, ...args));
    } catch (error) {
      if (!messageOf(error).startsWith('NOSCRIPT')) throw error;
      return await within(timeoutMs, client.callBuffer('EVAL', lua, keys.length, ...keys, ...args));
    }
  };

  return {
    shown,
    checkOpen,
    ask: async (...call) => {
      checkOpen();
      try {
        const answer = await run(...call);
        return Array.isArray(answer) ? answer : [];
      } catch (error) {
        throw failed(error);
      }
    },
    runOnce: (...call) => unlessClosed(client, run(...call)),
    hmget: async (key, fields) => {
      try {
        return await within(timeoutMs, client.hmgetBuffer(key, ...fields));
      } catch (error) {
        throw failed(error);
      }
    },
    masters: () => (client instanceof Cluster ? client.nodes('master') : [client]),
    close: () => (closing ??= close()),
  };
}

/** Why a command failed, for callers that wrote nothing: a full Redis, or one that does not answer. */
export function redisError(shown: string, error: unknown): MillraceError {
  const message = messageOf(error);
  if (message.startsWith('OOM')) {
    return new MillraceError(
      'DISK_FULL',
      `The Redis at ${shown} is at its maxmemory; nothing was written. Raise maxmemory, or remove data.`,
      { cause: error },
    );
  }
  return new MillraceError('UNAVAILABLE', `The Redis at ${shown} did not do what was asked: ${message}.`, {
    cause: error,
  });
}

/** Answers with which a server refuses a command before it runs. */
const refusals =
  /^(OOM|READONLY|MISCONF|LOADING|CLUSTERDOWN|MASTERDOWN|NOREPLICAS|TRYAGAIN|NOAUTH|NOPERM|WRONGPASS|BUSY|MOVED|ASK|CROSSSLOT)\b/;
export const isRefusal = (error: unknown): boolean => refusals.test(messageOf(error));

/** Emitted by a client of one server; a cluster's client ends what its broken connection carried by itself. */
async function unlessClosed<T>(client: Redis | Cluster, answer: Promise<T>): Promise<T> {
  let onClose = (): void => {};
  const broken = new Promise<never>((_, reject) => {
    onClose = () => reject(new Error('the connection broke before the answer came'));
  });
  client.once('close', onClose);
  try {
    return await Promise.race([answer, broken]);
  } finally {
    client.off('close', onClose);
  }
}

/** ioredis counts its own time-out from when a command is sent, which a cluster that is away puts off for ever. */
async function within<T>(timeoutMs: number, answer: Promise<T>): Promise<T> {
  let end = (): void => {};
  const late = new Promise<never>((_, reject) => {
    end = limitAnswer(timeoutMs, () => reject(new Error(`no answer within ${timeoutMs} ms`)));
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    end();
  }
}

function nodeOf(node: string): { host: string; port: number } | string {
  if (node.includes('://')) return node;
  const at = node.lastIndexOf(':');
  return { host: node.slice(0, at), port: Number(node.slice(at + 1)) };
}

const withoutPassword = (url: string): string => url.replace(/:\/\/[^@/]*@/, '://');
