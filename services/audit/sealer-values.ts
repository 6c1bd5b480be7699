/**
 * What the sealer keeps in mind: `chain/<source>` the last seal; `seal/<source>/<sequence>` where a file lies; `hold/<name>` holds in force;
 * `forget/<hash>` files to delete once what says so is committed.
 */
import type { ServiceRecord, ServiceTask } from '../../runtime/engine/service.ts';
import type { Hold } from '../../topologies/audit-holds.ts';
import { hashOfSeal } from './seal-statement.ts';

const holdPrefix = 'hold/';

export interface LastSeal {
  readonly sequence: number;
  /** What the next seal calls `previousSeal`. */
  readonly hash: string;
}

export interface FileOfSeal {
  readonly fromOffset: number;
  readonly toOffset: number;
  readonly fromTimeMs: number;
  readonly timeMs: number;
  /** Empty: there is none, since it could not be made or is past its retention. */
  readonly fileHash: string;
  readonly expired?: boolean;
}

/** Values that a batch has put so far, on top of the committed ones. */
export class SealerValues {
  readonly #task: ServiceTask;
  readonly put = new Map<string, unknown>();
  readonly deleted = new Set<string>();

  constructor(task: ServiceTask) {
    this.#task = task;
  }

  async get<V>(key: string): Promise<V | undefined> {
    return (this.put.get(key) as V | undefined) ?? (await this.#task.get<V>(key));
  }

  /** Holds in force. */
  async holds(): Promise<readonly Hold[]> {
    const held = new Map<string, Hold>();
    for await (const [key, hold] of this.#task.entries<Hold>(holdPrefix))
      if (!this.deleted.has(key)) held.set(key, hold);
    for (const [key, hold] of this.put) if (key.startsWith(holdPrefix)) held.set(key, hold as Hold);
    return [...held.values()];
  }

  /** Takes over what was said before, by a state that was lost: to one who knows it, it says nothing new. */
  async learn(event: ServiceRecord['event']): Promise<void> {
    if (event?.type === 'audit-sealed' || event?.type === 'seal-failed') {
      const { topic, partition, sequence, fromOffset, toOffset } = event.data;
      const { fromTimeMs, timeMs } = event.type === 'audit-sealed' ? event.data : { fromTimeMs: 0, timeMs: 0 };
      const source = `${topic}/${partition}`;
      const last = await this.get<LastSeal>(`chain/${source}`);
      if (last !== undefined && sequence <= last.sequence) return;
      const [hash, fileHash] =
        event.type === 'audit-sealed' ? [hashOfSeal(event.data), event.data.fileHash] : [last?.hash ?? '', ''];
      this.put.set(`chain/${source}`, { sequence, hash } satisfies LastSeal);
      this.put.set(sealKey(source, sequence), {
        fromOffset,
        toOffset,
        fromTimeMs,
        timeMs,
        fileHash,
      } satisfies FileOfSeal);
    } else if (event?.type === 'record-redacted') {
      const { topic, partition, sequence, replacedHash, fileHash } = event.data;
      const key = sealKey(`${topic}/${partition}`, sequence);
      const file = await this.get<FileOfSeal>(key);
      if (file?.fileHash === replacedHash) this.put.set(key, { ...file, fileHash } satisfies FileOfSeal);
    } else if (event?.type === 'audit-expired') {
      const { topic, partition, sequence } = event.data;
      const key = sealKey(`${topic}/${partition}`, sequence);
      const file = await this.get<FileOfSeal>(key);
      if (file !== undefined) this.put.set(key, { ...file, fileHash: '', expired: true } satisfies FileOfSeal);
    } else if (event?.type === 'hold-placed') {
      const { name, topics, sinceMs, untilMs } = event.data;
      const key = `${holdPrefix}${name}`;
      this.deleted.delete(key);
      this.put.set(key, { name, topics, sinceMs, untilMs } satisfies Hold);
    } else if (event?.type === 'hold-released') {
      const key = `${holdPrefix}${event.data.name}`;
      this.put.delete(key);
      this.deleted.add(key);
    }
  }

  /** The file that has the record: its sequence and where it lies. */
  async fileWith(source: string, offset: number): Promise<readonly [sequence: number, file: FileOfSeal] | undefined> {
    const last = await this.get<LastSeal>(`chain/${source}`);
    let [low, high] = [0, last?.sequence ?? -1];
    while (low <= high) {
      const middle = (low + high) >> 1;
      const file = await this.get<FileOfSeal>(sealKey(source, middle));
      if (file === undefined) return undefined;
      if (offset < file.fromOffset) high = middle - 1;
      else if (offset > file.toOffset) low = middle + 1;
      else return [middle, file];
    }
    return undefined;
  }
}

export const sealKey = (source: string, sequence: number): string => `seal/${source}/${sequence}`;
