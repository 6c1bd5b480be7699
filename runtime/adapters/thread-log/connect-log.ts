import type { MessagePort } from 'node:worker_threads';
import { MillraceError } from '../../ports/errors.ts';
import type {
  Log,
  LogRecord,
  OutgoingRecord,
  SubscribeOptions,
  Subscription,
  SubscriptionHandler,
  TopicConfig,
  TopicPartition,
} from '../../ports/log.ts';
import { type Asked, type PlainCall, post, type Told } from './messages.ts';
import { receivedError } from './sent-errors.ts';
import { packOutgoing, type SentRecords, unpack } from './sent-records.ts';
import { ThreadMember } from './thread-member.ts';

interface Waiting {
  readonly appends: boolean;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** What a power loss took from a log. */
export type LogLoss = Required<Pick<Log, 'lostTail' | 'recoveredEnds'>>;

const noLoss: LogLoss = { lostTail: false, recoveredEnds: {} };

/**
 * The log of another thread of this process, which lends it by `serveLog` at the other end of `port`. Acknowledged means what it means
 * there. When the other end is gone, every call is refused with CLOSED. `loss` is what the log says of itself.
 */
export function connectLog(port: MessagePort, loss: LogLoss = noLoss): Log {
  return new ThreadLog(port, loss);
}

class ThreadLog implements Log {
  readonly lostTail: boolean;
  readonly recoveredEnds: Readonly<Record<string, number>>;
  readonly #port: MessagePort;
  readonly #waiting = new Map<number, Waiting>();
  readonly #members = new Map<number, ThreadMember>();
  #nextId = 1;
  /** Nobody is heard any more. */
  #closed = false;
  #closing: Promise<void> | undefined;
  /** Told when no call is under way. */
  #idle: (() => void) | undefined;

  constructor(port: MessagePort, { lostTail, recoveredEnds }: LogLoss) {
    this.lostTail = lostTail;
    this.recoveredEnds = recoveredEnds;
    this.#port = port;
    port.on('message', (told: Told) => this.#take(told));
    port.on('close', () => this.#end());
  }

  async ensureTopics(topics: readonly TopicConfig[]): Promise<void> {
    await this.#call('ensureTopics', topics);
  }

  async partitions(topic: string): Promise<number> {
    return (await this.#call('partitions', topic)) as number;
  }

  async append(records: readonly OutgoingRecord[]): Promise<readonly number[]> {
    if (records.length === 0) return [];
    const sent = packOutgoing(records);
    return (await this.#ask((id) => ({ type: 'append', id, records: sent }), sent)) as readonly number[];
  }

  async subscribe(options: SubscribeOptions, handler: SubscriptionHandler): Promise<Subscription> {
    const number = this.#nextId++;
    const member = new ThreadMember(handler, (asked) => this.#tell({ ...asked, member: number }));
    this.#members.set(number, member);
    const leave = async (): Promise<void> => {
      if (!this.#members.delete(number)) return;
      member.leave();
      if (!this.#closed) await this.#send((id) => ({ type: 'leave', id, member: number }));
    };
    try {
      await this.#ask((id) => ({ type: 'subscribe', id, member: number, options }));
    } catch (error) {
      this.#members.delete(number);
      throw error;
    }
    return {
      pause: (partitions) => member.pause(partitions),
      resume: (partitions) => member.resume(partitions),
      commit: async (positions) => {
        await this.#ask((id) => ({ type: 'commit', id, member: number, positions }));
      },
      close: leave,
    };
  }

  async startOffsets(topic: string): Promise<readonly number[]> {
    return (await this.#call('startOffsets', topic)) as readonly number[];
  }

  async endOffsets(topic: string): Promise<readonly number[]> {
    return (await this.#call('endOffsets', topic)) as readonly number[];
  }

  async *read(
    partition: TopicPartition,
    range: { readonly from: number; readonly to?: number },
  ): AsyncGenerator<readonly LogRecord[]> {
    const to = range.to ?? (await this.endOffsets(partition.topic))[partition.partition] ?? 0;
    for (let from = range.from; from < to; ) {
      const at = from;
      const sent = (await this.#ask((id) => ({ type: 'read', id, partition, from: at, to }))) as
        | SentRecords
        | undefined;
      if (sent === undefined) return;
      const records = unpack(sent);
      yield records;
      from = (records.at(-1)?.offset ?? to) + 1;
    }
  }

  async committed(group: string, topic: string): Promise<readonly (number | undefined)[]> {
    return (await this.#call('committed', group, topic)) as readonly (number | undefined)[];
  }

  async truncateBefore(partition: TopicPartition, offset: number): Promise<void> {
    await this.#call('truncateBefore', partition, offset);
  }

  /** Waits for what is under way and leaves every group; the log itself stays open where it is. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const leaving = [...this.#members].map(async ([number, member]) => {
      member.leave();
      await this.#send((id) => ({ type: 'leave', id, member: number }));
    });
    this.#members.clear();
    await Promise.allSettled(leaving);
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
      if (this.#waiting.size === 0) resolve();
    });
    this.#end();
    this.#port.close();
  }

  #call(method: PlainCall, ...given: readonly unknown[]): Promise<unknown> {
    return this.#ask((id) => ({ type: 'call', id, method, arguments: given }));
  }

  #ask(asked: (id: number) => Asked, moved?: SentRecords): Promise<unknown> {
    return this.#closing === undefined ? this.#send(asked, moved) : Promise.reject(closedError());
  }

  #send(asked: (id: number) => Asked, moved?: SentRecords): Promise<unknown> {
    if (this.#closed) return Promise.reject(closedError());
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      const question = asked(id);
      this.#waiting.set(id, { resolve, reject, appends: question.type === 'append' });
      this.#tell(question, moved);
    });
  }

  #take(told: Told): void {
    switch (told.type) {
      case 'answer':
        this.#waited(told.id)?.resolve(told.value);
        return;
      case 'refused':
        this.#waited(told.id)?.reject(receivedError(told.error));
        return;
      case 'assigned':
        void this.#assigned(told);
        return;
      case 'revoked':
        this.#members.get(told.member)?.revoked(told.partitions, told.generation);
        return;
      case 'records':
        this.#records(told);
        return;
      case 'failed':
        this.#members.get(told.member)?.failed(receivedError(told.error));
        return;
    }
  }

  async #assigned({ member, assignment, partitions, generation }: Extract<Told, { type: 'assigned' }>): Promise<void> {
    const answer = await this.#members.get(member)?.assigned(partitions, generation);
    if (this.#closed) return;
    if (answer === undefined) this.#tell({ type: 'started', assignment, positions: [] });
    else if ('error' in answer) this.#tell({ type: 'not-started', assignment, error: answer.error });
    else this.#tell({ type: 'started', assignment, positions: answer.positions });
  }

  #records({ member: number, partition, generation, records, endOffset }: Extract<Told, { type: 'records' }>): void {
    const member = this.#members.get(number);
    member?.records(partition, unpack(records), endOffset);
    member?.taken(partition, generation);
  }

  #waited(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#idle?.();
    return waiting;
  }

  #tell(asked: Asked, moved?: SentRecords): void {
    if (!this.#closed) post(this.#port, asked, moved === undefined ? [] : [moved.bytes.buffer]);
  }

  /** Whether what was being appended was written cannot be learnt any more. */
  #end(): void {
    this.#closed = true;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject, appends } of waiting) reject(appends ? unknownOutcome() : closedError());
    for (const member of this.#members.values()) member.failed(closedError());
    this.#members.clear();
    this.#idle?.();
  }
}

const unknownOutcome = (): MillraceError =>
  new MillraceError('UNKNOWN_OUTCOME', 'The thread of the log ended before it answered an append. Look at the log.');

const closedError = (): MillraceError =>
  new MillraceError('CLOSED', 'The log was closed. Open it again before the next call.');
