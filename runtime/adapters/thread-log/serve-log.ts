import type { MessagePort } from 'node:worker_threads';
import {
  type Log,
  partitionName,
  type StartPosition,
  type Subscription,
  type SubscriptionHandler,
} from '../../ports/log.ts';
import { LentFlow } from './lent-flow.ts';
import { type Asked, post, type Told } from './messages.ts';
import { receivedError, sentError } from './sent-errors.ts';
import { packDelivered, type SentRecords, unpack } from './sent-records.ts';

/** A log that is lent to another thread. */
export interface ServedLog {
  /** By `<topic>/<partition>`: behind the last record that was delivered to the other thread. */
  deliveredEnds(): ReadonlyMap<string, number>;
  /** Closes the subscriptions of the other thread, and hears it no more. The log stays open. Idempotent. */
  close(): Promise<void>;
}

interface LentMember {
  readonly joining: Promise<Subscription>;
  readonly flow: LentFlow;
}

interface Assignment {
  start(positions: readonly StartPosition[]): void;
  refuse(error: Error): void;
}

/** Lends `log` to whoever has the other end of `port` (see `connectLog`). */
export function serveLog(log: Log, port: MessagePort): ServedLog {
  return new LogServer(log, port);
}

class LogServer implements ServedLog {
  readonly #log: Log;
  readonly #port: MessagePort;
  readonly #members = new Map<number, LentMember>();
  readonly #assignments = new Map<number, Assignment>();
  readonly #deliveredEnds = new Map<string, number>();
  #nextAssignment = 1;

  constructor(log: Log, port: MessagePort) {
    this.#log = log;
    this.#port = port;
    port.on('message', (asked: Asked) => this.#take(asked));
    // The other thread has ended.
    port.on('close', () => void this.close());
  }

  deliveredEnds(): ReadonlyMap<string, number> {
    return new Map(this.#deliveredEnds);
  }

  async close(): Promise<void> {
    const members = [...this.#members.values()];
    this.#members.clear();
    this.#port.close();
    for (const assignment of this.#assignments.values()) assignment.refuse(new Error('the thread has ended'));
    this.#assignments.clear();
    for (const { joining } of members) await (await joining.catch(() => undefined))?.close();
  }

  #take(asked: Asked): void {
    switch (asked.type) {
      case 'append':
        this.#answer(asked.id, this.#log.append(unpack(asked.records)));
        return;
      case 'call':
        this.#answer(asked.id, this.#call(asked));
        return;
      case 'read':
        void this.#read(asked);
        return;
      case 'subscribe':
        this.#answer(asked.id, this.#subscribe(asked));
        return;
      case 'commit':
        this.#answer(asked.id, this.#commit(asked));
        return;
      case 'leave':
        this.#answer(asked.id, this.#leave(asked.member));
        return;
      case 'pause':
      case 'resume':
      case 'taken':
        this.#members.get(asked.member)?.flow[asked.type](asked.partition, asked.generation);
        return;
      case 'started':
        this.#assignment(asked.assignment)?.start(asked.positions);
        return;
      case 'not-started':
        this.#assignment(asked.assignment)?.refuse(receivedError(asked.error));
        return;
    }
  }

  #answer(id: number, work: Promise<unknown>): void {
    work.then(
      (value) => this.#tell({ type: 'answer', id, value }),
      (error: unknown) => this.#tell({ type: 'refused', id, error: sentError(error) }),
    );
  }

  async #call({ method, arguments: given }: Extract<Asked, { type: 'call' }>): Promise<unknown> {
    const log = this.#log;
    return await (log[method] as (...given: readonly unknown[]) => Promise<unknown>).apply(log, [...given]);
  }

  /** The next batch of a range; none is its end. */
  async #read({ id, partition, from, to }: Extract<Asked, { type: 'read' }>): Promise<void> {
    try {
      for await (const records of this.#log.read(partition, { from, to })) {
        const value = packDelivered(records);
        this.#tell({ type: 'answer', id, value }, value);
        return;
      }
      this.#tell({ type: 'answer', id, value: undefined });
    } catch (error) {
      this.#tell({ type: 'refused', id, error: sentError(error) });
    }
  }

  async #subscribe({ member, options }: Extract<Asked, { type: 'subscribe' }>): Promise<void> {
    let joined: (subscription: Subscription | undefined) => void = () => {};
    const flow = new LentFlow(new Promise((resolve) => (joined = resolve)));
    const joining = this.#log.subscribe(options, this.#handler(member, flow));
    this.#members.set(member, { joining, flow });
    joining.then(joined, () => joined(undefined));
    await joining;
  }

  async #commit({ member, positions }: Extract<Asked, { type: 'commit' }>): Promise<void> {
    const subscription = await this.#members.get(member)?.joining.catch(() => undefined);
    await subscription?.commit(positions);
  }

  async #leave(member: number): Promise<void> {
    const left = this.#members.get(member);
    this.#members.delete(member);
    await (await left?.joining)?.close();
  }

  #handler(member: number, flow: LentFlow): SubscriptionHandler {
    return {
      assigned: (partitions, generation) =>
        new Promise((resolve, reject) => {
          const assignment = this.#nextAssignment++;
          flow.assigned(partitions, generation);
          this.#assignments.set(assignment, { start: resolve, refuse: reject });
          this.#tell({ type: 'assigned', member, assignment, partitions, generation });
        }),
      revoked: (partitions, generation) => {
        flow.revoked(partitions);
        this.#tell({ type: 'revoked', member, partitions, generation });
      },
      records: (partition, records, endOffset) => {
        const sent = packDelivered(records);
        this.#deliveredEnds.set(partitionName(partition), endOffset);
        this.#tell(
          { type: 'records', member, partition, generation: flow.sent(partition), records: sent, endOffset },
          sent,
        );
      },
      failed: (error) => this.#tell({ type: 'failed', member, error: sentError(error) }),
    };
  }

  #assignment(id: number): Assignment | undefined {
    const assignment = this.#assignments.get(id);
    this.#assignments.delete(id);
    return assignment;
  }

  #tell(told: Told, moved?: SentRecords): void {
    post(this.#port, told, moved === undefined ? [] : [moved.bytes.buffer]);
  }
}
