import { randomBytes } from 'node:crypto';
import { MillraceError, messageOf } from '../../ports/errors.ts';
import type { StateStore, TaskState } from '../../ports/state-store.ts';
import { textsOf } from './redis-answers.ts';
import { createRedisClient, type RedisAddress, type RedisClient, redisError } from './redis-client.ts';
import { openScript, resetScript } from './redis-scripts.ts';
import { metaPattern, taskKeys, taskOfMeta } from './redis-task-keys.ts';
import { RedisTaskState } from './redis-task-state.ts';
import { checkTask } from './state-checks.ts';

export interface RedisStateStoreOptions extends RedisAddress {
  /** Before every key, so that several installations can share a server. Letters, digits, `.`, `_` and `-`. */
  readonly prefix: string;
}

/**
 * StateStore on Redis or Redis Cluster. The keys of a task share the hash tag `{prefix:task}`; a commit is one script, so it is atomic
 * and checked where the data is. A commit is kept as surely as the server's own settings keep it (`appendonly yes` is advised): one
 * that was lost with its server is noticed, since the next commit is refused.
 *
 * Refuses to start on a server that may evict keys.
 */
export async function openRedisStateStore(options: RedisStateStoreOptions): Promise<StateStore> {
  if ((options.url === undefined) === (options.nodes === undefined)) {
    throw new MillraceError(
      'INVALID_CONFIGURATION',
      'The Redis state store needs either a url or the nodes of a cluster.',
    );
  }
  if (!/^[A-Za-z0-9._-]{1,128}$/.test(options.prefix)) {
    const got = JSON.stringify(options.prefix);
    throw new MillraceError(
      'INVALID_CONFIGURATION',
      `The prefix of the Redis state store must be 1 to 128 letters, digits, '.', '_' or '-', got ${got}.`,
    );
  }
  const client = createRedisClient(options);
  try {
    await refuseEviction(client);
  } catch (error) {
    await client.close();
    throw error;
  }
  return new RedisStateStore(client, options.prefix);
}

async function refuseEviction(client: RedisClient): Promise<void> {
  try {
    // A cluster knows its nodes after its first answer.
    await client.hmget('{millrace}', ['any']);
    for (const master of client.masters()) {
      const [, policy = 'unknown'] = /^maxmemory_policy:(\S+)/m.exec(await master.info('memory')) ?? [];
      if (policy === 'noeviction') continue;
      const { host = '127.0.0.1', port = 6379 } = master.options;
      throw new MillraceError(
        'INVALID_CONFIGURATION',
        `The Redis at ${host}:${port} may evict keys: its maxmemory-policy is ${policy}, and state must not vanish. ` +
          `Set it with: redis-cli -h ${host} -p ${port} CONFIG SET maxmemory-policy noeviction ` +
          `(and in its configuration file), or use a server of its own.`,
        { details: { host, port, policy } },
      );
    }
  } catch (error) {
    if (error instanceof MillraceError) throw error;
    throw new MillraceError(
      'UNAVAILABLE',
      `The Redis at ${client.shown} does not answer (${messageOf(error)}). Start it, or set its address.`,
      { cause: error },
    );
  }
}

class RedisStateStore implements StateStore {
  readonly #client: RedisClient;
  readonly #prefix: string;

  constructor(client: RedisClient, prefix: string) {
    this.#client = client;
    this.#prefix = prefix;
  }

  async open(task: string): Promise<TaskState> {
    checkTask(task);
    const keys = taskKeys(this.#prefix, task);
    const nonce = randomBytes(12).toString('hex');
    const [epoch = '', position = '', sequence = ''] = textsOf(
      await this.#client.ask(openScript, [keys.meta], [nonce]),
    );
    return new RedisTaskState(this.#client, keys, {
      task,
      epoch: Number(epoch),
      nonce,
      position: position === '' ? undefined : Number(position),
      sequence: Number(sequence),
    });
  }

  async reset(task: string): Promise<void> {
    checkTask(task);
    const { meta, values, keys } = taskKeys(this.#prefix, task);
    await this.#client.ask(resetScript, [meta, values, keys], []);
  }

  async tasks(): Promise<readonly string[]> {
    this.#client.checkOpen();
    const names = new Set<string>();
    try {
      for (const master of this.#client.masters()) {
        const pages = master.scanStream({ match: metaPattern(this.#prefix), count: 1000 });
        for await (const page of pages as AsyncIterable<readonly string[]>) {
          for (const meta of page) {
            const position = await master.hget(meta, 'position');
            if (position !== null && position !== '') names.add(taskOfMeta(this.#prefix, meta));
          }
        }
      }
    } catch (error) {
      throw redisError(this.#client.shown, error);
    }
    return [...names].sort();
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}
