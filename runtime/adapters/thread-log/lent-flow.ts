import { partitionName, type Subscription, type TopicPartition } from '../../ports/log.ts';

/** Deliveries of a partition that are on their way to the other thread at most, before the log waits for it. */
const underWayMax = 2;

interface Flow {
  readonly generation: number;
  underWay: number;
  /** By the other thread. */
  paused: boolean;
}

/**
 * Flow control of one subscription that is lent to another thread. A pause from there comes late, so deliveries are counted: who reads
 * slowly holds two of a partition in memory, not the log.
 */
export class LentFlow {
  readonly #subscription: Promise<Pick<Subscription, 'pause' | 'resume'> | undefined>;
  readonly #flows = new Map<string, Flow>();

  constructor(subscription: Promise<Pick<Subscription, 'pause' | 'resume'> | undefined>) {
    this.#subscription = subscription;
  }

  assigned(partitions: readonly TopicPartition[], generation: number): void {
    for (const partition of partitions)
      this.#flows.set(partitionName(partition), { generation, underWay: 0, paused: false });
  }

  revoked(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#flows.delete(partitionName(partition));
  }

  /** Answers the generation that `taken` will name. */
  sent(partition: TopicPartition): number {
    const flow = this.#flows.get(partitionName(partition));
    if (flow === undefined) return 0;
    flow.underWay += 1;
    if (flow.underWay === underWayMax && !flow.paused) this.#change('pause', partition);
    return flow.generation;
  }

  taken(partition: TopicPartition, generation: number): void {
    const flow = this.#of(partition, generation);
    if (flow === undefined) return;
    flow.underWay -= 1;
    if (flow.underWay === underWayMax - 1 && !flow.paused) this.#change('resume', partition);
  }

  pause(partition: TopicPartition, generation: number): void {
    const flow = this.#of(partition, generation);
    if (flow === undefined || flow.paused) return;
    flow.paused = true;
    if (flow.underWay < underWayMax) this.#change('pause', partition);
  }

  resume(partition: TopicPartition, generation: number): void {
    const flow = this.#of(partition, generation);
    if (flow?.paused !== true) return;
    flow.paused = false;
    if (flow.underWay < underWayMax) this.#change('resume', partition);
  }

  #of(partition: TopicPartition, generation: number): Flow | undefined {
    const flow = this.#flows.get(partitionName(partition));
    return flow?.generation === generation ? flow : undefined;
  }

  #change(to: 'pause' | 'resume', partition: TopicPartition): void {
    void this.#subscription.then((subscription) => subscription?.[to]([partition]));
  }
}
