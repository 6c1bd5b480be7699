import { setTimeout as sleep } from 'node:timers/promises';
import { MillraceError } from '../../ports/errors.ts';
import { partitionName, type StartPosition, type TopicPartition } from '../../ports/log.ts';
import { assignCoPartitioned, partitionCounts } from './co-partition-assigner.ts';
import { assignerName, decodeAssignment, decodeMember, encodeAssignment, encodeMember } from './group-protocol.ts';
import { CommitQueue } from './commit-queue.ts';
import { KafkaCluster } from './kafka-cluster.ts';
import { asMillraceError, isLasting, wireType } from './kafka-errors.ts';
import { type ResolvedKafkaOptions } from './kafka-options.ts';
import { type JoinedGroup, type WireBroker } from './kafkajs-internals.ts';
import { byTopic } from './offsets.ts';
import { backoffMs, retrying, Signal } from './retrying.ts';

export interface GroupMemberEvents {
  /** The member owns these partitions until `lost`. */
  joined(partitions: readonly TopicPartition[], generation: number): void;
  lost(): void;
  failed(error: MillraceError): void;
}

/** A join may be answered only when every other member has joined too: closing does not wait for that. */
const leaveMs = 1_000;

interface Generation {
  readonly id: number;
  readonly memberId: string;
  readonly owned: ReadonlySet<string>;
}

/**
 * Membership in a consumer group: joins, heartbeats on its own timer, tells what it owns, and joins again when the group rebalances.
 * It gives its partitions up by itself when the coordinator has been silent for a session, because then another member may own them.
 */
export class GroupMember {
  readonly #group: string;
  readonly #topics: readonly string[];
  readonly #options: ResolvedKafkaOptions;
  readonly #events: GroupMemberEvents;
  readonly #cluster: KafkaCluster;
  readonly #wake = new Signal();
  readonly #commits = new CommitQueue((positions) => this.#commitNow(positions));
  #coordinator: WireBroker | undefined;
  #memberId = '';
  #generation: Generation | undefined;
  #previous: { readonly generation: number; readonly partitions: readonly string[] } = {
    generation: -1,
    partitions: [],
  };
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(group: string, topics: readonly string[], options: ResolvedKafkaOptions, events: GroupMemberEvents) {
    this.#group = group;
    this.#topics = topics;
    this.#options = options;
    this.#events = events;
    this.#cluster = new KafkaCluster(options);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Positions of partitions that are not owned are ignored. During a rebalance, its outcome says what is owned. */
  async commit(positions: readonly StartPosition[]): Promise<void> {
    this.#refuseClosed();
    await this.#commits.commit(positions);
  }

  /** Leaves the group, if that can be done soon; else the end of the session says it. */
  async close(): Promise<void> {
    if (this.#generation !== undefined) await soon(this.#commits.idle());
    this.#closed = true;
    this.#wake.wake();
    await soon(this.#running);
    await this.#cluster.destroy();
    await this.#running;
  }

  async #commitNow(positions: readonly StartPosition[]): Promise<void> {
    await retrying(`committing offsets of group "${this.#group}"`, this.#options.operationTimeoutMs, async () => {
      this.#refuseClosed();
      const generation = this.#generation;
      if (generation === undefined) throw new MillraceError('UNAVAILABLE', 'The group is rebalancing.');
      const owned = positions.filter((position) => generation.owned.has(partitionName(position)));
      if (owned.length === 0) return;
      this.#coordinator ??= await this.#cluster.coordinator(this.#group);
      try {
        await this.#coordinator.offsetCommit({
          groupId: this.#group,
          groupGenerationId: generation.id,
          memberId: generation.memberId,
          topics: byTopic(owned, ({ partition, offset }) => ({ partition, offset: String(offset) })),
        });
      } catch (error) {
        this.#coordinator = undefined;
        if (isStale(error)) this.#wake.wake(); // the group went on without us: find out at once
        throw error;
      }
    });
  }

  #refuseClosed(): void {
    if (this.#closed)
      throw new MillraceError('CLOSED', `The membership of group "${this.#group}" was closed before the call.`);
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#closed; ) {
      try {
        await this.#takePart();
        failures = 0;
      } catch (error) {
        this.#lose();
        if (isFenced(error)) this.#memberId = '';
        if (isLasting(error)) return this.#events.failed(asMillraceError(error, `joining group "${this.#group}"`));
        if (!isStale(error) && !this.#closed) await this.#wake.wait(backoffMs(failures++));
      }
    }
    this.#lose();
    await this.#leave();
  }

  /** One generation: joins, owns, heartbeats. Resolves or throws when it is over. */
  async #takePart(): Promise<void> {
    await this.#cluster.know(this.#topics);
    const coordinator = await this.#cluster.coordinator(this.#group);
    this.#coordinator = coordinator;
    const joined = await coordinator.joinGroup({
      groupId: this.#group,
      sessionTimeout: this.#options.sessionTimeoutMs,
      rebalanceTimeout: this.#options.rebalanceTimeoutMs,
      memberId: this.#memberId,
      groupProtocols: [{ name: assignerName, metadata: encodeMember(this.#topics, this.#previous) }],
    });
    this.#memberId = joined.memberId;
    const { memberAssignment } = await coordinator.syncGroup({
      groupId: this.#group,
      generationId: joined.generationId,
      memberId: joined.memberId,
      groupAssignment: joined.leaderId === joined.memberId ? await this.#assign(joined) : [],
    });
    if (this.#closed) return;
    const partitions = decodeAssignment(memberAssignment);
    const names = partitions.map(partitionName);
    this.#previous = { generation: joined.generationId, partitions: names };
    this.#generation = { id: joined.generationId, memberId: joined.memberId, owned: new Set(names) };
    this.#events.joined(partitions, joined.generationId);
    await this.#heartbeats(coordinator, joined.generationId);
    this.#lose();
  }

  async #assign({ members }: JoinedGroup) {
    await this.#cluster.refresh(this.#topics);
    const assignable = members.map(({ memberId, memberMetadata }) => decodeMember(memberId, memberMetadata));
    const topics = [...new Set(assignable.flatMap((member) => member.topics))];
    await this.#cluster.know(topics);
    const counts = partitionCounts(topics, (topic) => this.#cluster.partitionCount(topic));
    return encodeAssignment(assignCoPartitioned(assignable, counts));
  }

  /** Until the group rebalances, the member is expelled, or the coordinator was silent for a session. */
  async #heartbeats(first: WireBroker, generationId: number): Promise<void> {
    let coordinator = first;
    let heardMs = performance.now();
    while (!this.#closed) {
      await this.#wake.wait(this.#options.heartbeatIntervalMs);
      if (this.#closed) return;
      try {
        await coordinator.heartbeat({
          groupId: this.#group,
          groupGenerationId: generationId,
          memberId: this.#memberId,
        });
        heardMs = performance.now();
      } catch (error) {
        if (isStale(error) || isLasting(error)) throw error;
        if (performance.now() - heardMs > this.#options.sessionTimeoutMs) throw error;
        coordinator = await this.#cluster.coordinator(this.#group).catch(() => coordinator);
      }
    }
  }

  #lose(): void {
    if (this.#generation === undefined) return;
    this.#generation = undefined;
    this.#events.lost();
  }

  async #leave(): Promise<void> {
    if (this.#memberId === '') return;
    try {
      const coordinator = await this.#cluster.coordinator(this.#group);
      await coordinator.leaveGroup({ groupId: this.#group, memberId: this.#memberId });
    } catch {
      // The session's end says the same.
    }
  }
}

/** Waits for a promise, but not for long. */
async function soon(promise: Promise<unknown> | undefined): Promise<void> {
  const patience = new AbortController();
  await Promise.race([promise, sleep(leaveMs, undefined, { signal: patience.signal }).catch(() => undefined)]);
  patience.abort();
}

/** The generation is over, or this member is not in it. */
function isStale(error: unknown): boolean {
  const type = wireType(error);
  return type === 'REBALANCE_IN_PROGRESS' || type === 'ILLEGAL_GENERATION' || isFenced(error);
}

const isFenced = (error: unknown): boolean => {
  const type = wireType(error);
  return type === 'UNKNOWN_MEMBER_ID' || type === 'FENCED_INSTANCE_ID';
};
