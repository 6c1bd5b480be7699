/**
 * The fold `feedback-rewards` on Kafka and Redis beside a bare kafkajs loop that consumes the same records and produces each of them again
 * (same key, value and headers, acks −1, batches of 500), in turns, medians of the rounds. The broker, Redis and both programs share
 * the cores. Run: `npx tsx bench/cluster/fold.ts [events] [rounds] [--json]`.
 */
import { Kafka, logLevel } from 'kafkajs';
import { openKafkaLog } from '../../runtime/adapters/kafka-log/kafka-log.ts';
import { openRedisStateStore } from '../../runtime/adapters/state/redis-state-store.ts';
import { createTestRuntime, eventually, type TestRuntime } from '../../runtime/testing/index.ts';
import { feedbackRewards } from '../../topologies/feedback-rewards.ts';
import { checkRewards, publishFeedbackLoad } from '../feedback-load.ts';
import { costLine, costOf, positionals, sayFigures } from '../figures.ts';
import { median, withServices } from './services.ts';

const total = Number(positionals[0] ?? 200_000);
const rounds = Number(positionals[1] ?? 3);
const batch = 500;

await withServices(['kafka', 'redis'], async (addresses) => {
  const brokers = [addresses['MILLRACE_TEST_KAFKA'] ?? ''];
  const log = await openKafkaLog({ brokers, clientId: 'bench', onClientLog: ({ message }) => console.error(message) });
  const state = await openRedisStateStore({ url: addresses['MILLRACE_TEST_REDIS_URL'] ?? '', prefix: 'bench' });
  const tested = await createTestRuntime({ parts: { log, state } });
  await publishFeedbackLoad(tested.runtime, total);
  console.log(`published ${total} events`);
  const folds: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await log.ensureTopics([
      {
        name: `bare-${round}`,
        partitions: 6,
        cleanup: 'delete',
        recordBytesMax: 1_048_576,
        replication: 1,
        minInsyncReplicas: 1,
      },
    ]);
    bare.push(await bareLoop(brokers, tested.runtime.topic('predictions'), round));
    folds.push(await foldRound(tested, round));
    if (round === 0) await checkRewards(tested.runtime, total);
  }
  if (tested.complaints.length > 0) throw new Error(`complaints: ${JSON.stringify(tested.complaints.slice(0, 3))}`);
  const [value, baseline] = [median(folds), median(bare)];
  sayFigures([{ name: 'fold on Kafka and Redis', value, unit: 'events/s', baseline, ratio: value / baseline }]);
  await tested.close();
});

/** Events per second; each round has a group and a state of its own. */
async function foldRound({ runtime }: TestRuntime, round: number): Promise<number> {
  const name = `feedback-rewards-${round}`;
  const cost = await costOf(async () => {
    const running = await runtime.runTopology({ ...feedbackRewards, name });
    await eventually('every event folded', () => folded() === total, 300_000);
    await running.close();
  });
  console.log(costLine(`fold, Kafka and Redis, round ${round + 1}`, total, cost));
  return total / cost.seconds;

  function folded(): number {
    return runtime
      .stats()
      .filter(({ task }) => task.startsWith(`${name}/`))
      .reduce((sum, { counters }) => sum + (counters['in'] ?? 0), 0);
  }
}

async function bareLoop(brokers: string[], input: string, round: number): Promise<number> {
  const kafka = new Kafka({ clientId: 'bare', brokers, logLevel: logLevel.ERROR });
  const output = `bare-${round}`;
  const producer = kafka.producer({ maxInFlightRequests: 1 });
  const consumer = kafka.consumer({ groupId: `bare-${round}` });
  await producer.connect();
  await consumer.connect();
  let seen = 0;
  const cost = await costOf(async () => {
    await consumer.subscribe({ topic: input, fromBeginning: true });
    await consumer.run({
      eachBatch: async ({ batch: { messages, partition }, resolveOffset }) => {
        for (let from = 0; from < messages.length; from += batch) {
          const some = messages.slice(from, from + batch);
          await producer.send({
            topic: output,
            acks: -1,
            messages: some.map(({ key, value, headers = {} }) => ({ key, value, headers, partition })),
          });
          resolveOffset(some.at(-1)?.offset ?? '');
          seen += some.length;
        }
      },
    });
    await eventually('every record produced again', () => seen >= total, 300_000);
  });
  await consumer.disconnect();
  await producer.disconnect();
  console.log(costLine(`bare kafkajs loop, round ${round + 1}`, total, cost));
  return total / cost.seconds;
}
