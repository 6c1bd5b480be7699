/**
 * Says which slots of schedules have passed; what becomes of them is decided where starts are folded. It reads `starts` itself, so each
 * partition has one scheduler, which knows the schedules of its flows and how far each has been decided. A slot that is said twice, by two
 * schedulers or after a crash, is decided once: the fold has passed it.
 */
import { idOf } from '../../schemas/derived-ids.ts';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import type { IdentifiedOutput, Service, ServiceRecord, ServiceTask } from '../../runtime/engine/service.ts';
import { messageOf } from '../../runtime/ports/errors.ts';
import { triggerName } from '../../schemas/flow-triggers.ts';
import { type DueSlots, PartitionSchedules, type StoredFlow, storedFlow } from './partition-schedules.ts';

/** The clock is looked at so often at least, since it may jump. */
const lookMsMax = 15_000;
/** After a batch, or at the start, others may follow at once. */
const settleMs = 20;

const storedKey = (flow: string): string => `flow/${encodeURIComponent(flow)}`;

export function createScheduler(runtime: Runtime): Service<'starts'> {
  const partitions = new Map<string, PartitionScheduler>();
  return {
    name: 'scheduler',
    inputs: ['starts'],
    outputs: ['starts'],
    summary: 'says which slots of schedules have passed',
    keeps: true,
    async opened(task) {
      partitions.get(task.name)?.close();
      const scheduler = new PartitionScheduler(runtime);
      partitions.set(task.name, scheduler);
      await scheduler.load(task);
    },
    handle(batch, task) {
      const put = partitions.get(task.name)?.hear(batch, task) ?? [];
      return Promise.resolve({
        outputs: [],
        put: put.flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const])),
        delete: put.flatMap(([key, value]) => (value === undefined ? [key] : [])),
      });
    },
    closed(task) {
      partitions.get(task.name)?.close();
      partitions.delete(task.name);
    },
  };
}

class PartitionScheduler {
  readonly #runtime: Runtime;
  readonly #schedules = new PartitionSchedules();
  /** Log's clock minus ours, as far as we know, milliseconds. */
  #aheadMs = 0;
  #cancel: () => void = () => undefined;
  #closed = false;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  async load(task: ServiceTask): Promise<void> {
    for await (const [key, stored] of task.entries<StoredFlow>('flow/'))
      this.#schedules.set(decodeURIComponent(key.slice('flow/'.length)), stored);
    if (!task.again) this.#wake(settleMs);
  }

  /** Answers what is to be kept: undefined for a flow that has no schedules any more. */
  hear(
    batch: readonly ServiceRecord[],
    { again }: ServiceTask,
  ): readonly (readonly [key: string, value: StoredFlow | undefined])[] {
    const changed = new Set<string>();
    for (const { raw, event } of batch) {
      this.#aheadMs = Math.max(this.#aheadMs, raw.timestampMs - this.#runtime.parts.clock.now());
      const flow = event === undefined ? undefined : this.#take(event);
      if (flow !== undefined) changed.add(flow);
    }
    // while values are rebuilt, it is not known which slots are decided
    if (!again) this.#wake(settleMs);
    return [...changed].map((flow) => [storedKey(flow), this.#schedules.stored(flow)] as const);
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  /** The flow that the event changed. */
  #take(event: NonNullable<ServiceRecord['event']>): string | undefined {
    switch (event.type) {
      case 'flow-deployed': {
        const { flow, triggers, schedules } = event.data;
        this.#schedules.set(flow, storedFlow(triggers, schedules));
        return flow;
      }
      case 'flow-controlled':
        if (event.data.action !== 'remove') return undefined;
        this.#schedules.set(event.data.flow, undefined);
        return event.data.flow;
      case 'slots-judged': {
        const { flow, schedule, outcome, lastMs, logMs, backfill } = event.data;
        if (backfill !== null) return undefined;
        if (outcome === 'early') {
          if (!this.#schedules.awaits(flow, schedule)) return undefined;
          this.#aheadMs = logMs - this.#runtime.parts.clock.now();
          this.#schedules.forget(flow, schedule);
          return undefined;
        }
        return this.#decided(flow, schedule, lastMs);
      }
      default:
        return undefined;
    }
  }

  #decided(flow: string, schedule: string, lastMs: number): string | undefined {
    const stored = this.#schedules.stored(flow);
    if (stored === undefined) return undefined;
    const schedules = stored.schedules.map((one) =>
      triggerName(one.trigger) === schedule && one.lastMs < lastMs ? { ...one, lastMs } : one,
    );
    this.#schedules.set(flow, { schedules });
    return flow;
  }

  #wake(inMs: number): void {
    this.#cancel();
    if (this.#closed) return;
    this.#cancel = this.#runtime.parts.clock.after(Math.max(inMs, 0), () => void this.#look());
  }

  async #look(): Promise<void> {
    const { clock, logger } = this.#runtime.parts;
    const due = this.#schedules.takeDue(clock.now() + this.#aheadMs);
    try {
      if (due.length > 0) await this.#runtime.publish(due.map(saidOf));
    } catch (error) {
      // They are said again, for nobody has judged them.
      logger.warn({ error: messageOf(error), slots: due.length }, 'slots could not be said');
    }
    this.#wake(Math.min(this.#schedules.nextMs() - clock.now() - this.#aheadMs, lookMsMax));
  }
}

function saidOf({ flow, schedule, slots, more, attempt }: DueSlots): IdentifiedOutput {
  const [first, last] = [slots[0]?.atMs ?? 0, slots.at(-1)?.atMs ?? 0];
  const id = idOf('slots', flow, schedule, first, last, attempt);
  return { topic: 'starts', type: 'slots-due', key: flow, id, data: { flow, schedule, slots, more } };
}
