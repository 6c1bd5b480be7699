/**
 * Throughput of the embedded log: records of 200 bytes (value 150, key 12, three headers) in calls of 500.
 * Run: npx tsx bench/embedded-log.ts [process|disk] [records] [--json]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedLog } from '../runtime/adapters/embedded-log/embedded-log.ts';
import type { Log, LogRecord, OutgoingRecord } from '../runtime/ports/log.ts';
import { costLine, costOf, type Figure, positionals, sayFigures } from './figures.ts';

const durability = positionals[0] === 'disk' ? 'disk' : 'process';
const total = Number(positionals[1] ?? 1_000_000);
const perCall = 500;
const partitions = 6;
const topic = 'bench';
const figures: Figure[] = [];

const directory = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
try {
  let log = await open();
  await log.ensureTopics([
    { name: topic, partitions, cleanup: 'delete', recordBytesMax: 1_000_000, replication: 1, minInsyncReplicas: 1 },
  ]);
  await measure('append, four calls at once', () => appendAll(log, 4));
  await measure('append, one call at a time', () => appendAll(log, 1));
  await log.close();
  log = await open();
  await measure('read from files, offsets only', () => readAll(log, (record) => record.offset));
  await measure('read from files, key, value and headers', () => readAll(log, touch));
  await measure('append and deliver, key, value and headers', () => appendAndDeliver(log));
  await log.close();
} finally {
  await rm(directory, { recursive: true });
}
sayFigures(figures);

function open(): Promise<Log> {
  return openEmbeddedLog({ directory, durability, onProblem: (error) => console.error(error) });
}

/** All records of a call go to one partition, as a task's outputs often do not: see the third line for a mix. */
async function appendAll(log: Log, atOnce: number): Promise<number> {
  const calls = prepareCalls();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < total / perCall) await log.append(calls[next++ % calls.length]!);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return total;
}

async function readAll(log: Log, look: (record: LogRecord) => number): Promise<number> {
  let count = 0;
  for (let partition = 0; partition < partitions; partition++)
    for await (const batch of log.read({ topic, partition }, { from: 0 })) {
      for (const record of batch) look(record);
      count += batch.length;
    }
  return count;
}

async function appendAndDeliver(log: Log): Promise<number> {
  let delivered = 0;
  let done = (): void => undefined;
  const all = new Promise<void>((resolve) => {
    done = resolve;
  });
  const subscription = await log.subscribe(
    { topics: [topic], start: 'latest' },
    {
      assigned: async () => [],
      revoked: () => undefined,
      records: (_, records) => {
        for (const record of records) touch(record);
        delivered += records.length;
        if (delivered >= total) done();
      },
      failed: (error) => {
        throw error;
      },
    },
  );
  await Promise.all([appendAll(log, 4), all]);
  await subscription.close();
  return total;
}

function touch({ key, value, headers }: LogRecord): number {
  return (key?.length ?? 0) + (value?.length ?? 0) + (headers['ce_id']?.length ?? 0);
}

function prepareCalls(): readonly (readonly OutgoingRecord[])[] {
  return Array.from({ length: 60 }, (_, call) =>
    Array.from({ length: perCall }, (_, index) => ({
      topic,
      partition: (call + index) % partitions,
      key: `entity-${1000 + ((call * perCall + index) % 9000)}`,
      value: Buffer.alloc(150, index),
      headers: { ce_id: `0190-${call}-${index}`, ce_type: 'b.t.v1', stamp: Buffer.alloc(8, call) },
    })),
  );
}

async function measure(name: string, work: () => Promise<number>): Promise<void> {
  let count = 0;
  const cost = await costOf(async () => {
    count = await work();
  });
  console.log(costLine(name, count, cost));
  figures.push({ name: `log ${durability}: ${name}`, value: Math.round(count / cost.seconds), unit: 'records/s' });
}
