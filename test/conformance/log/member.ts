import {
  type Log,
  type LogRecord,
  partitionName,
  type StartPosition,
  type SubscribeOptions,
  type Subscription,
  type SubscriptionHandler,
  type TopicPartition,
} from '../../../runtime/ports/log.ts';
import { text } from './builders.ts';
import { type LogHarness } from './log-harness.ts';
import { until } from './until.ts';

export interface MemberHooks {
  assigned?(partitions: readonly TopicPartition[]): Promise<readonly StartPosition[]>;
  records?(partition: TopicPartition, records: readonly LogRecord[]): void;
}

/** A subscription that writes down everything it hears. */
export class Member implements SubscriptionHandler {
  readonly delivered: LogRecord[] = [];
  readonly ends: { readonly last: number; readonly end: number }[] = [];
  readonly owned = new Set<string>();
  readonly revocations: string[] = [];
  readonly generations: number[] = [];
  readonly failures: unknown[] = [];
  subscription: Subscription | undefined;
  readonly #harness: LogHarness;
  readonly #hooks: MemberHooks;

  constructor(harness: LogHarness, hooks: MemberHooks) {
    this.#harness = harness;
    this.#hooks = hooks;
  }

  async assigned(partitions: readonly TopicPartition[], generation: number): Promise<readonly StartPosition[]> {
    this.generations.push(generation);
    const starts = (await this.#hooks.assigned?.(partitions)) ?? [];
    for (const partition of partitions) this.owned.add(partitionName(partition));
    return starts;
  }

  revoked(partitions: readonly TopicPartition[], generation: number): void {
    this.generations.push(generation);
    for (const partition of partitions) {
      this.revocations.push(partitionName(partition));
      this.owned.delete(partitionName(partition));
    }
  }

  records(partition: TopicPartition, records: readonly LogRecord[], endOffset: number): void {
    this.delivered.push(...records);
    this.ends.push({ last: records.at(-1)?.offset ?? -1, end: endOffset });
    this.#hooks.records?.(partition, records);
  }

  failed(error: unknown): void {
    this.failures.push(error);
  }

  get values(): string[] {
    return this.delivered.map(text);
  }

  offsets(partition: number): number[] {
    return this.delivered.filter((one) => one.partition === partition).map(({ offset }) => offset);
  }

  get active(): Subscription {
    if (this.subscription === undefined) throw new Error('The member has not subscribed yet.');
    return this.subscription;
  }

  async owns(count: number): Promise<void> {
    await until(this.#harness, `the member owned ${count} partitions`, () => this.owned.size === count);
  }

  async heard(value: string): Promise<void> {
    await until(this.#harness, `"${value}" was delivered`, () => this.values.includes(value));
  }

  async heardCount(count: number): Promise<void> {
    await until(this.#harness, `${count} records were delivered`, () => this.delivered.length >= count);
  }
}

export async function join(
  harness: LogHarness,
  options: SubscribeOptions,
  hooks: MemberHooks = {},
  log: Log = harness.log,
): Promise<Member> {
  const member = new Member(harness, hooks);
  member.subscription = await log.subscribe(options, member);
  return member;
}
