/**
 * The same stateful count (per key, an output for every record, exactly once) by the engine on Kafka and Redis and by Kafka Streams
 * (Java, exactly-once v2, RocksDB, one stream thread), on the same records of the same broker: 200 bytes, 10,000 keys, 6 partitions. In
 * turns, medians of the rounds; each round ends when a reader has seen every output. The broker, Redis and the reader share the cores.
 * Needs Java 17 and Maven. Run: `npx tsx bench/peers/kafka-streams.ts [records] [rounds] [--json]`.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openKafkaLog } from '../../runtime/adapters/kafka-log/kafka-log.ts';
import { openRedisStateStore } from '../../runtime/adapters/state/redis-state-store.ts';
import type { RawTopology } from '../../runtime/engine/topology.ts';
import type { Log } from '../../runtime/ports/log.ts';
import { createTestRuntime, eventually, type TestRuntime } from '../../runtime/testing/index.ts';
import { median, withServices } from '../cluster/services.ts';
import { costLine, costOf, positionals, sayFigures } from '../figures.ts';

const run = promisify(execFile);
const total = Number(positionals[0] ?? 300_000);
const rounds = Number(positionals[1] ?? 3);
const partitions = 6;
const keys = 10_000;
const input = 'predictions';
const output = 'task-control';

const built = await build();
await withServices(['kafka', 'redis'], async (addresses) => {
  const bootstrap = addresses['MILLRACE_TEST_KAFKA'] ?? '';
  const log = await openKafkaLog({
    brokers: [bootstrap],
    clientId: 'bench',
    onClientLog: ({ message }) => console.error(message),
  });
  const state = await openRedisStateStore({ url: addresses['MILLRACE_TEST_REDIS_URL'] ?? '', prefix: 'bench' });
  const tested = await createTestRuntime({ parts: { log, state }, partitions: { [output]: partitions } });
  await fill(log, tested.runtime.topic(input));
  console.log(`published ${total} records of 200 bytes`);
  const ours: number[] = [];
  const streams: number[] = [];
  for (let round = 0; round < rounds; round++) {
    streams.push(await streamsRound(log, bootstrap, tested.runtime.topic(input), round));
    ours.push(await engineRound(tested, round));
  }
  if (tested.complaints.length > 0) throw new Error(`complaints: ${JSON.stringify(tested.complaints.slice(0, 3))}`);
  const [value, baseline] = [median(ours), median(streams)];
  sayFigures([
    { name: 'stateful count beside Kafka Streams', value, unit: 'records/s', baseline, ratio: value / baseline },
  ]);
  await tested.close();
});

/** Records as a service would write them: an id each, so that the engine judges repeats. */
async function fill(log: Log, topic: string): Promise<void> {
  const value = Buffer.alloc(200, 'x');
  for (let from = 0; from < total; from += 1_000) {
    await log.append(
      Array.from({ length: Math.min(1_000, total - from) }, (_, index) => {
        const n = from + index;
        const key = n % keys;
        return { topic, partition: key % partitions, key: `key-${key}`, value, headers: { ce_id: `r${n}` } };
      }),
    );
  }
}

function countByKey(name: string): RawTopology {
  const keyOf = (bytes: Uint8Array | null): string => Buffer.from(bytes ?? []).toString('latin1');
  return {
    name,
    version: 1,
    rawInput: input,
    outputs: [output],
    summary: 'counts records by key',
    reads: ({ keyBytes }) => ({ keys: [keyOf(keyBytes)] }),
    fold({ keyBytes, partition }, state) {
      const key = keyOf(keyBytes);
      const count = (state.get<number>(key) ?? 0) + 1;
      const data = { runId: '', taskId: '', attempt: count, dispatch: 0, incarnation: null, reason: '' };
      return { put: [[key, count]], emit: [{ topic: output, type: 'task-revoked', key, partition, data }] };
    },
  };
}

/** Records per second until a reader has seen every output, and the highest count of each key. */
async function engineRound({ runtime }: TestRuntime, round: number): Promise<number> {
  const name = `count-${round}`;
  const from = await runtime.parts.log.endOffsets(runtime.topic(output));
  const counts = new Map<string, number>();
  let seen = 0;
  const cost = await costOf(async () => {
    const follower = await runtime.follow(output, {
      from,
      onEvent: ({ key, type, data }) => {
        if (type !== 'task-revoked') throw new Error(`${key}: a ${type} is no count`);
        seen += 1;
        if (data.attempt !== (counts.get(key) ?? 0) + 1) throw new Error(`the counts of ${key} are out of order`);
        counts.set(key, data.attempt);
      },
    });
    const running = await runtime.runTopology(countByKey(name));
    await eventually('every output read', () => seen === total, 300_000);
    await running.close();
    await follower.close();
  });
  const sum = [...counts.values()].reduce((all, one) => all + one, 0);
  if (sum !== total) throw new Error(`the counts add up to ${sum}, not to ${total}`);
  console.log(costLine(`engine, Kafka and Redis, round ${round + 1}`, total, cost));
  return total / cost.seconds;
}

async function streamsRound(log: Log, bootstrap: string, topic: string, round: number): Promise<number> {
  const outputTopic = `streams-out-${round}`;
  await log.ensureTopics([
    {
      name: outputTopic,
      partitions,
      cleanup: 'delete',
      recordBytesMax: 1_000_000,
      replication: 1,
      minInsyncReplicas: 1,
    },
  ]);
  const states = await mkdtemp(join(tmpdir(), 'millrace-bench-streams-'));
  try {
    const program = ['-cp', `${built.classes}:${built.lib}/*`, '-Dorg.slf4j.simpleLogger.defaultLogLevel=error'];
    const facts = [bootstrap, topic, outputTopic, String(partitions), String(total), `streams-count-${round}`, states];
    const { stdout } = await run('java', [...program, 'millrace.bench.StatefulCount', ...facts], { timeout: 300_000 });
    const { seconds, cpuSeconds } = JSON.parse(stdout.trim()) as { seconds: number; cpuSeconds: number };
    console.log(costLine(`Kafka Streams, round ${round + 1}`, total, { seconds, cpuUs: 1e6 * cpuSeconds }));
    return total / seconds;
  } finally {
    await rm(states, { recursive: true, force: true });
  }
}

/** Compiles the Java side into the cache, outside of the project. */
async function build(): Promise<{ readonly classes: string; readonly lib: string }> {
  const cache = join(process.env['MILLRACE_TOOLS'] ?? join(homedir(), '.cache', 'millrace'), 'peers', 'kafka-streams');
  const lib = join(cache, 'lib');
  const copy = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
  const project = [
    '-f',
    join(import.meta.dirname, 'kafka-streams', 'pom.xml'),
    `-DbuildFolder=${join(cache, 'build')}`,
  ];
  const options = [
    '-q',
    '-B',
    '-ntp',
    ...project,
    'compile',
    copy,
    '-DincludeScope=runtime',
    `-DoutputDirectory=${lib}`,
  ];
  await run('mvn', options);
  return { classes: join(cache, 'build', 'classes'), lib };
}
