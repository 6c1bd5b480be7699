import { randomBytes } from 'node:crypto';
import { hasCode, MillraceError, messageOf } from '../../ports/errors.ts';
import type {
  KeyRange,
  StateBatch,
  StateEntry,
  StateSnapshot,
  StateStore,
  TaskState,
} from '../../ports/state-store.ts';
import { readOnce } from './read-once.ts';
import { createRedisClient, isRefusal, type RedisAddress, type RedisClient, redisError } from './redis-client.ts';
import {
  beginSnapshotScript,
  commitScript,
  endSnapshotScript,
  openScript,
  type RedisScript,
  rangeScript,
  resetScript,
  restorePageScript,
  restoreScript,
  snapshotPageScript,
} from './redis-scripts.ts';
import { entriesOf, mergeSnapshotPage } from './redis-snapshot.ts';
import {
  checkBatch,
  checkEntry,
  checkKey,
  checkPosition,
  checkRange,
  checkTask,
  closed,
  fenced,
  unknownOutcome,
} from './state-checks.ts';

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

const pageEntriesMax = 500;
const pageBytesMax = 4 * 1024 * 1024;
/** Each attempt takes the list that the server has; it changes only when this owner begins or ends a snapshot. */
const snapshotListAttemptsMax = 20;
/** What a snapshot or a restore leaves behind when its process dies goes after this long. */
const leftoverTtlMs = 10 * 60 * 1000;

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
  readonly client: RedisClient;
  readonly #prefix: string;
  #closing: Promise<void> | undefined;

  constructor(client: RedisClient, prefix: string) {
    this.client = client;
    this.#prefix = prefix;
  }

  async open(task: string): Promise<TaskState> {
    checkTask(task);
    const keys = this.#keysOf(task);
    const nonce = randomBytes(12).toString('hex');
    const [epoch = '', position = '', sequence = ''] = textsOf(await this.ask(openScript, [keys.meta], [nonce]));
    return new RedisTaskState(this, keys, {
      task,
      epoch: Number(epoch),
      nonce,
      position: position === '' ? undefined : Number(position),
      sequence: Number(sequence),
    });
  }

  async reset(task: string): Promise<void> {
    checkTask(task);
    const { meta, values, keys } = this.#keysOf(task);
    await this.ask(resetScript, [meta, values, keys], []);
  }

  async tasks(): Promise<readonly string[]> {
    this.checkOpen();
    const names: string[] = [];
    const start = `{${this.#prefix}:`;
    try {
      for (const master of this.client.masters()) {
        for await (const page of master.scanStream({ match: `${start}*}:meta`, count: 1000 }) as AsyncIterable<
          readonly string[]
        >) {
          for (const meta of page) {
            const position = await master.hget(meta, 'position');
            if (position !== null && position !== '') names.push(meta.slice(start.length, -'}:meta'.length));
          }
        }
      }
    } catch (error) {
      throw redisError(this.client.shown, error);
    }
    return [...new Set(names)].sort();
  }

  close(): Promise<void> {
    this.#closing ??= this.client.close();
    return this.#closing;
  }

  checkOpen(): void {
    if (this.#closing !== undefined) throw closed('state store');
  }

  /** Runs a script for a caller that needs no answer to know what it may do next. */
  async ask(
    script: RedisScript,
    keys: readonly string[],
    args: readonly (string | Buffer)[],
  ): Promise<readonly unknown[]> {
    this.checkOpen();
    try {
      const answer = await this.client.run(script, keys, args);
      return Array.isArray(answer) ? answer : [];
    } catch (error) {
      throw redisError(this.client.shown, error);
    }
  }

  #keysOf(task: string): TaskKeys {
    const tag = `{${this.#prefix}:${task}}`;
    return {
      tag,
      meta: `${tag}:meta`,
      values: `${tag}:values`,
      keys: `${tag}:keys`,
      imagesOf: (snapshot) => [`${tag}:snapshot:${snapshot}:images`, `${tag}:snapshot:${snapshot}:keys`],
    };
  }
}

interface TaskKeys {
  readonly tag: string;
  readonly meta: string;
  readonly values: string;
  readonly keys: string;
  imagesOf(snapshot: string): readonly [string, string];
}

interface Opened {
  readonly task: string;
  readonly epoch: number;
  readonly nonce: string;
  readonly position: number | undefined;
  readonly sequence: number;
}

class RedisTaskState implements TaskState {
  readonly task: string;
  readonly epoch: number;
  readonly nonce: string;
  readonly position: number | undefined;
  readonly #store: RedisStateStore;
  readonly #keys: TaskKeys;
  readonly #owner: readonly [epoch: string, nonce: string];
  #position: number | undefined;
  #sequence: number;
  #committing = false;
  #lost = false;
  /** Snapshots that this owner reads now. */
  readonly #running = new Set<string>();

  constructor(store: RedisStateStore, keys: TaskKeys, opened: Opened) {
    this.#store = store;
    this.#keys = keys;
    this.task = opened.task;
    this.epoch = opened.epoch;
    this.nonce = opened.nonce;
    this.position = opened.position;
    this.#owner = [String(opened.epoch), opened.nonce];
    this.#position = opened.position;
    this.#sequence = opened.sequence;
  }

  async get(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> {
    for (const key of keys) checkKey(key);
    this.#store.checkOpen();
    if (keys.length === 0) return [];
    try {
      const values = await this.#store.client.hmget(this.#keys.values, keys);
      return values.map((value) => value ?? undefined);
    } catch (error) {
      throw redisError(this.#store.client.shown, error);
    }
  }

  async range({ gte, lt, limit, reverse }: KeyRange): Promise<readonly StateEntry[]> {
    checkRange({ gte, lt, limit });
    const [low, high] = [gte === '' ? '-' : `[${gte}`, `(${lt}`];
    const args =
      reverse === true ? ['ZREVRANGEBYLEX', high, low, String(limit)] : ['ZRANGEBYLEX', low, high, String(limit)];
    return entriesOf(buffersOf(await this.#store.ask(rangeScript, [this.#keys.values, this.#keys.keys], args)));
  }

  async commit(expectedPosition: number | undefined, batch: StateBatch): Promise<void> {
    checkBatch(batch);
    this.#checkMayCommit();
    if (expectedPosition !== this.#position) {
      throw fenced(this.task, `the caller expects position ${expectedPosition}, this owner is at ${this.#position}`);
    }
    const changes: (string | Buffer)[] = [String(batch.delete.length), ...batch.delete];
    for (const [key, value] of batch.put) changes.push(key, asBuffer(value));
    await this.#advance(async () => {
      let snapshots = [...this.#running].join();
      for (let attempt = 1; ; attempt++) {
        const ids = snapshots === '' ? [] : snapshots.split(',');
        const { meta, values, keys, imagesOf } = this.#keys;
        const answer = await this.#store.client.runOnce(
          commitScript,
          [meta, values, keys, ...ids.flatMap(imagesOf)],
          [
            ...this.#owner,
            shown(this.#position),
            String(this.#sequence),
            String(batch.position),
            snapshots,
            ...changes,
          ],
        );
        const [outcome, found] = textsOf(answer);
        if (outcome !== 'SNAPSHOTS' || attempt === snapshotListAttemptsMax) return answer;
        snapshots = found ?? '';
      }
    }, batch.position);
  }

  async snapshot(): Promise<StateSnapshot> {
    const id = randomBytes(6).toString('hex');
    const images = this.#keys.imagesOf(id);
    this.#running.add(id);
    const end = async (): Promise<void> => {
      this.#running.delete(id);
      // What is left behind here expires.
      const going = [...this.#running].join();
      await this.#store.ask(endSnapshotScript, [this.#keys.meta, ...images], [...this.#owner, going]).catch(() => {});
    };
    try {
      const [outcome, position = ''] = textsOf(
        await this.#store.ask(
          beginSnapshotScript,
          [this.#keys.meta, ...images],
          [...this.#owner, [...this.#running].join(), String(leftoverTtlMs)],
        ),
      );
      if (outcome !== 'OK') throw fenced(this.task, 'a snapshot needs the present owner');
      let cursor: string | undefined = '';
      const nextPage = async (): Promise<readonly StateEntry[] | undefined> => {
        while (cursor !== undefined) {
          const page = await this.#snapshotPage(images, cursor);
          cursor = page.cursor;
          if (page.entries.length > 0) return page.entries;
        }
        return undefined;
      };
      return { position: position === '' ? undefined : Number(position), entries: readOnce(nextPage, end) };
    } catch (error) {
      await end();
      throw error;
    }
  }

  async restore(position: number, entries: AsyncIterable<readonly StateEntry[]>): Promise<void> {
    checkPosition(position);
    this.#checkMayCommit();
    const { tag, meta, values, keys } = this.#keys;
    const id = randomBytes(6).toString('hex');
    const fresh = [`${tag}:restore:${id}:values`, `${tag}:restore:${id}:keys`];
    let begun = false;
    for await (const page of entries) {
      for (const part of partsOf(page)) {
        const written = part.flatMap(([key, value]) => [key, asBuffer(value)]);
        const limits = [String(leftoverTtlMs), begun ? 'more' : 'first'];
        const answer = await this.#store.ask(
          restorePageScript,
          [meta, ...fresh],
          [...this.#owner, ...limits, ...written],
        );
        begun = true;
        const [outcome, epoch] = textsOf(answer);
        if (outcome === 'EXPIRED') throw tooSlow(`The restore of task ${this.task}`);
        if (outcome !== 'OK') throw fenced(this.task, `its epoch is ${epoch} now and this owner has ${this.epoch}`);
      }
    }
    const args = [
      ...this.#owner,
      shown(this.#position),
      String(this.#sequence),
      String(position),
      begun ? 'some' : 'none',
    ];
    await this.#advance(
      () => this.#store.client.runOnce(restoreScript, [meta, values, keys, ...fresh], args),
      position,
    );
  }

  async #snapshotPage(images: readonly string[], cursor: string): ReturnType<typeof pageOf> {
    const { meta, values, keys } = this.#keys;
    const low = cursor === '' ? '-' : `(${cursor}`;
    const limits = [String(pageEntriesMax), String(pageBytesMax), String(leftoverTtlMs)];
    return pageOf(
      this.task,
      await this.#store.ask(snapshotPageScript, [meta, values, keys, ...images], [...this.#owner, low, ...limits]),
    );
  }

  #checkMayCommit(): void {
    this.#store.checkOpen();
    if (this.#lost) throw fenced(this.task, 'an earlier commit of this owner had an unknown outcome');
    if (this.#committing) {
      throw new MillraceError(
        'CONFLICT',
        `A commit of task ${this.task} is under way: wait for it before the next one.`,
      );
    }
  }

  async #advance(write: () => Promise<unknown>, position: number): Promise<void> {
    this.#committing = true;
    try {
      const [outcome, epoch = '', stored = '', sequence = ''] = textsOf(await write());
      if (outcome === 'EXPIRED') throw tooSlow(`The restore of task ${this.task}`);
      // A cluster client sends a command again whose connection broke: then the first one may have been written.
      const wasWritten =
        outcome === 'MOVED ON' && Number(stored) === position && Number(sequence) === this.#sequence + 1;
      if (outcome !== 'OK' && !wasWritten) throw fenced(this.task, this.#whyRefused(epoch, stored));
    } catch (error) {
      if (hasCode(error, 'FENCED', 'TIMEOUT')) throw error;
      if (isRefusal(error)) throw redisError(this.#store.client.shown, error);
      this.#lost = true;
      throw unknownOutcome(this.task, error);
    } finally {
      this.#committing = false;
    }
    this.#position = position;
    this.#sequence += 1;
  }

  #whyRefused(epoch: string, position: string): string {
    if (epoch === '') return 'the store has lost the task';
    if (Number(epoch) !== this.epoch) return `its epoch is ${epoch} now and this owner has ${this.epoch}`;
    const stored = position === '' ? 'none' : position;
    return `expected position ${this.#position}, the store has ${stored}: it went back in time, or lost the task and was opened anew`;
  }
}

async function pageOf(task: string, answer: readonly unknown[]): Promise<ReturnType<typeof mergeSnapshotPage>> {
  const [outcome, liveAtEnd, live, imagesAtEnd, images] = answer;
  const word = String(outcome);
  if (word === 'EXPIRED') {
    throw new MillraceError(
      'TIMEOUT',
      `The snapshot of task ${task} was read too slowly and has expired. Take a new one.`,
    );
  }
  if (word !== 'OK') throw fenced(task, 'a snapshot needs the present owner');
  return mergeSnapshotPage(liveAtEnd === 1, buffersOf(live), imagesAtEnd === 1, buffersOf(images));
}

function tooSlow(what: string): MillraceError {
  return new MillraceError('TIMEOUT', `${what} stood still for ${leftoverTtlMs} ms and has expired. Begin it again.`);
}

/** Parts of a page that are small enough for one command. */
function* partsOf(page: readonly StateEntry[]): Iterable<readonly StateEntry[]> {
  let part: StateEntry[] = [];
  let bytes = 0;
  for (const entry of page) {
    checkEntry(entry);
    part.push(entry);
    bytes += entry[1].length;
    if (part.length < pageEntriesMax && bytes < pageBytesMax) continue;
    yield part;
    part = [];
    bytes = 0;
  }
  if (part.length > 0) yield part;
}

const shown = (position: number | undefined): string => (position === undefined ? '' : String(position));
const buffersOf = (answer: unknown): readonly Buffer[] =>
  Array.isArray(answer) ? answer.filter((item): item is Buffer => Buffer.isBuffer(item)) : [];
const textsOf = (answer: unknown): readonly string[] => buffersOf(answer).map((item) => item.toString('latin1'));
const asBuffer = (value: Uint8Array): Buffer =>
  Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
