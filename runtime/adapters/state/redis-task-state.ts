import { randomBytes } from 'node:crypto';
import { hasCode, MillraceError } from '../../ports/errors.ts';
import type { KeyRange, StateBatch, StateEntry, StateSnapshot, TaskState } from '../../ports/state-store.ts';
import { readOnce } from './read-once.ts';
import { buffersOf, entriesOf, textsOf } from './redis-answers.ts';
import { isRefusal, type RedisClient, redisError } from './redis-client.ts';
import {
  beginSnapshotScript,
  commitScript,
  endSnapshotScript,
  rangeScript,
  restorePageScript,
  restoreScript,
  snapshotPageScript,
} from './redis-scripts.ts';
import { leftoverTtlMs, type SnapshotPage, snapshotPage, stoodStill } from './redis-snapshot.ts';
import type { TaskKeys } from './redis-task-keys.ts';
import { checkBatch, checkEntry, checkKey, checkPosition, checkRange, fenced, unknownOutcome } from './state-checks.ts';

export interface OpenedTask {
  readonly task: string;
  readonly epoch: number;
  readonly nonce: string;
  readonly position: number | undefined;
  readonly sequence: number;
}

const pageEntriesMax = 500;
const pageBytesMax = 4 * 1024 * 1024;
/** Each attempt takes the list that the server has; it changes only when this owner begins or ends a snapshot. */
const snapshotListAttemptsMax = 20;

export class RedisTaskState implements TaskState {
  readonly task: string;
  readonly epoch: number;
  readonly nonce: string;
  readonly position: number | undefined;
  readonly #client: RedisClient;
  readonly #keys: TaskKeys;
  readonly #owner: readonly [epoch: string, nonce: string];
  #position: number | undefined;
  #sequence: number;
  #committing = false;
  #lost = false;
  /** Snapshots that this owner reads now. */
  readonly #running = new Set<string>();

  constructor(client: RedisClient, keys: TaskKeys, opened: OpenedTask) {
    this.#client = client;
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
    this.#client.checkOpen();
    if (keys.length === 0) return [];
    const values = await this.#client.hmget(this.#keys.values, keys);
    return values.map((value) => value ?? undefined);
  }

  async range({ gte, lt, limit, reverse }: KeyRange): Promise<readonly StateEntry[]> {
    checkRange({ gte, lt, limit });
    const [low, high] = [gte === '' ? '-' : `[${gte}`, `(${lt}`];
    const args =
      reverse === true ? ['ZREVRANGEBYLEX', high, low, String(limit)] : ['ZRANGEBYLEX', low, high, String(limit)];
    return entriesOf(buffersOf(await this.#client.ask(rangeScript, [this.#keys.values, this.#keys.keys], args)));
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
        const answer = await this.#client.runOnce(
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
    const id = newId();
    const images = this.#keys.imagesOf(id);
    this.#running.add(id);
    const end = async (): Promise<void> => {
      this.#running.delete(id);
      // What is left behind here expires.
      const going = [...this.#running].join();
      await this.#client.ask(endSnapshotScript, [this.#keys.meta, ...images], [...this.#owner, going]).catch(() => {});
    };
    try {
      const [outcome, position = ''] = textsOf(
        await this.#client.ask(
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
    const { meta, values, keys, restoredOf } = this.#keys;
    const fresh = restoredOf(newId());
    let begun = false;
    for await (const page of entries) {
      for (const part of partsOf(page)) {
        const written = part.flatMap(([key, value]) => [key, asBuffer(value)]);
        const limits = [String(leftoverTtlMs), begun ? 'more' : 'first'];
        const answer = await this.#client.ask(
          restorePageScript,
          [meta, ...fresh],
          [...this.#owner, ...limits, ...written],
        );
        begun = true;
        const [outcome, epoch] = textsOf(answer);
        if (outcome === 'EXPIRED') throw stoodStill(`The restore of task ${this.task}`);
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
    await this.#advance(() => this.#client.runOnce(restoreScript, [meta, values, keys, ...fresh], args), position);
  }

  async #snapshotPage(images: readonly string[], cursor: string): Promise<SnapshotPage> {
    const { meta, values, keys } = this.#keys;
    const low = cursor === '' ? '-' : `(${cursor}`;
    const limits = [String(pageEntriesMax), String(pageBytesMax), String(leftoverTtlMs)];
    const answer = this.#client.ask(
      snapshotPageScript,
      [meta, values, keys, ...images],
      [...this.#owner, low, ...limits],
    );
    return snapshotPage(this.task, await answer);
  }

  #checkMayCommit(): void {
    this.#client.checkOpen();
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
      if (outcome === 'EXPIRED') throw stoodStill(`The restore of task ${this.task}`);
      // A cluster client sends a command again whose connection broke: then the first one may have been written.
      const wasWritten =
        outcome === 'MOVED ON' && Number(stored) === position && Number(sequence) === this.#sequence + 1;
      if (outcome !== 'OK' && !wasWritten) throw fenced(this.task, this.#whyRefused(epoch, stored));
    } catch (error) {
      if (hasCode(error, 'FENCED', 'TIMEOUT')) throw error;
      if (isRefusal(error)) throw redisError(this.#client.shown, error);
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

const newId = (): string => randomBytes(6).toString('hex');
const shown = (position: number | undefined): string => (position === undefined ? '' : String(position));
const asBuffer = (value: Uint8Array): Buffer =>
  Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
