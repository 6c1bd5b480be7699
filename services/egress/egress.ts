/**
 * Webhooks are served by whoever owns the partition of `webhook-deliveries` that they hash to. What became of each request is said there,
 * and comes back as the position of the webhook: a restart, or another owner, goes on behind what was said last. What was delivered and not
 * yet said is sent again, under the same id.
 *
 * Values: `progress/<webhook>/<origin>`; `read` next offset of the own partition.
 */
import type { Running, Runtime, Table } from '../../runtime/engine/runtime.ts';
import type { Service, ServiceTask } from '../../runtime/engine/service.ts';
import { messageOf } from '../../runtime/ports/errors.ts';
import type { WebhookRow } from '../../schemas/events.ts';
import { partitionOf } from '../../schemas/partitioner.ts';
import { Courier, type CourierParts } from './courier.ts';
import type { EgressClient } from './egress-client.ts';
import { firstProgress, type Progress, progressed, progressKey } from './progress.ts';
import type { SecretBox } from './secret-box.ts';

export interface EgressOptions {
  readonly runtime: Runtime;
  readonly client: EgressClient;
  readonly secrets: SecretBox;
  readonly attemptsMax: number;
  readonly backoffMs: number;
}

/** Opens the table of webhooks; it closes with it. */
export async function startEgress(options: EgressOptions): Promise<Running> {
  const { runtime } = options;
  const table = await runtime.openTable('webhooks');
  const desks = new Map<number, Desk>();
  const parts: CourierParts = { ...options, gone: (row) => disable(row, runtime) };
  table.onChange((webhook) => {
    for (const desk of desks.values()) desk.look(webhook);
  });
  const service: Service<'webhook-deliveries'> = {
    name: 'egress',
    inputs: ['webhook-deliveries'],
    outputs: ['webhook-deliveries', 'webhook-events'],
    summary: 'sends events to webhooks, signed, again until they are taken',
    keeps: true,
    async opened(task) {
      const { partition } = task.partition;
      await desks.get(partition)?.close();
      const desk = new Desk(partition, table, await readProgress(task, runtime), parts);
      desks.set(partition, desk);
      desk.open();
    },
    async handle(batch, task) {
      const put = new Map<string, unknown>();
      const count: Record<string, number> = {};
      for (const { event, raw } of batch) {
        put.set('read', raw.offset + 1);
        if (event?.type !== 'deliveries-attempted') continue;
        const key = progressKey(event.data);
        const before = (put.get(key) as Progress | undefined) ?? (await task.get<Progress>(key));
        put.set(key, progressed(before, event.data));
        // Apart from the ledger of the task, where `dead` are records that nobody could read.
        for (const { outcome } of event.data.attempts) {
          const name = `requests.${outcome}`;
          count[name] = (count[name] ?? 0) + 1;
        }
      }
      const unknown = await forgotten(task, table);
      return {
        outputs: [],
        put: [...put].filter(([key]) => !unknown.includes(key)),
        delete: unknown,
        count,
      };
    },
    closed(task) {
      const desk = desks.get(task.partition.partition);
      desks.delete(task.partition.partition);
      desk?.close().catch((error: unknown) => runtime.parts.logger.warn({ error: messageOf(error) }, 'egress closed'));
    },
  };
  const running = await runtime.runService(service);
  return {
    ready: () => running.ready(),
    close: async () => {
      const open = [...desks.values()];
      desks.clear();
      await Promise.all(open.map((desk) => desk.close()));
      await running.close();
      await table.close();
    },
  };
}

/** The webhooks of one partition. */
class Desk {
  readonly #partition: number;
  readonly #table: Table<'webhooks'>;
  /** Of webhooks that no courier serves now. */
  readonly #progress: Map<string, Progress>;
  readonly #parts: CourierParts;
  readonly #couriers = new Map<string, Courier>();
  /** Where each webhook was asked last; '' while it is disabled. */
  readonly #urls = new Map<string, string>();
  #work: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(partition: number, table: Table<'webhooks'>, progress: Map<string, Progress>, parts: CourierParts) {
    this.#partition = partition;
    this.#table = table;
    this.#progress = progress;
    this.#parts = parts;
  }

  open(): void {
    for (const { webhook } of this.#table.rows()) this.look(webhook);
  }

  /** Brings the courier in step with the table. */
  look(webhook: string): void {
    const { runtime } = this.#parts;
    if (partitionOf(webhook, runtime.partitions('webhook-deliveries')) !== this.#partition) return;
    this.#work = this.#work
      .then(() => this.#replace(webhook))
      .catch((error: unknown) => {
        runtime.parts.logger.error({ webhook, error: messageOf(error) }, 'a webhook cannot be served');
      });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#work;
    await Promise.all([...this.#couriers.values()].map((courier) => courier.close()));
    this.#couriers.clear();
  }

  async #replace(webhook: string): Promise<void> {
    const before = this.#couriers.get(webhook);
    this.#couriers.delete(webhook);
    await before?.close();
    if (before !== undefined) this.#progress.set(progressKey(before.row), before.progress());
    const row = this.#table.get(webhook);
    const url = row?.status === 'active' ? row.url : '';
    const urlBefore = this.#urls.get(webhook);
    this.#urls.set(webhook, url);
    if (this.#closed || row === undefined || url === '') return;
    const isMoved = urlBefore !== undefined && urlBefore !== url;
    const known = this.#progress.get(progressKey(row));
    const progress = known ?? firstProgress(row, this.#parts.runtime.partitions(row.topic));
    const courier = new Courier(row, isMoved ? triedAtOnce(progress) : progress, this.#parts);
    this.#couriers.set(webhook, courier);
    courier.start();
  }
}

/** A receiver that was moved, or is served again, is asked without waiting. */
function triedAtOnce({ positions, trying }: Progress): Progress {
  const now = Object.entries(trying).map(([partition, one]) => [partition, { ...one, nextAttemptMs: 0 }] as const);
  return { positions, trying: Object.fromEntries(now) };
}

/** What is committed, with what was said since on top. */
async function readProgress(task: ServiceTask, runtime: Runtime): Promise<Map<string, Progress>> {
  const progress = new Map<string, Progress>();
  for await (const [key, value] of task.entries<Progress>('progress/')) progress.set(key, value);
  const from = (await task.get<number>('read')) ?? 0;
  for await (const records of runtime.parts.log.read(task.partition, { from })) {
    for (const record of records) {
      const event = await runtime.decode('webhook-deliveries', record).catch(() => undefined);
      if (event?.type !== 'deliveries-attempted') continue;
      const key = progressKey(event.data);
      progress.set(key, progressed(progress.get(key), event.data));
    }
  }
  return progress;
}

/** Progress of webhooks that are no more. */
async function forgotten(task: ServiceTask, table: Table<'webhooks'>): Promise<string[]> {
  const known = new Set(table.rows().map((row) => progressKey(row)));
  const keys: string[] = [];
  for await (const [key] of task.entries('progress/')) if (!known.has(key)) keys.push(key);
  if (keys.length === 0) return keys;
  // the table may be behind: what is not on it at its present end is gone
  await table.refresh();
  const now = new Set(table.rows().map((row) => progressKey(row)));
  return keys.filter((key) => !now.has(key));
}

async function disable(row: WebhookRow, runtime: Runtime): Promise<void> {
  const requestId = `gone-${row.origin}-${row.updatedAt}`.slice(0, 128);
  // What somebody has changed since is not undone: the new address is heard first.
  const unlessChangedSince = row.updatedAt;
  const { webhook, url, topic, types, deployment, filter, format, description, sealedSecret, positions } = row;
  const wish = { url, topic, types, deployment, filter, format, description, sealedSecret, positions };
  const data = { webhook, requestId, mode: 'change', ...wish, status: 'disabled', actor: 'egress', unlessChangedSince };
  await runtime.publish([{ topic: 'webhook-events', type: 'webhook-requested', key: webhook, data, id: requestId }]);
}
