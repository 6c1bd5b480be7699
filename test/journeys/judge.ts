/** Reads what the kill tests judge: every record of the topics concerned, repeats included, and the books of all tasks. */
import { deadLetterHeader } from '../../runtime/engine/dead-letter.ts';
import { textHeader } from '../../runtime/engine/envelope.ts';
import type { FollowedEvent, Runtime } from '../../runtime/engine/runtime.ts';
import { eventually } from '../../runtime/testing/test-runtime.ts';
import type { EventTopic, PredictionCompleted } from '../../schemas/events.ts';
import { verifyAudit } from '../../services/audit/verify.ts';
import { topologies } from '../../topologies/index.ts';
import type { Findings } from './nothing-lost.ts';
import { isSameOutcome } from './same-outcome.ts';

/** `runtime` runs all topologies and has caught up. */
export async function judge(
  runtime: Runtime,
  acknowledged: Findings['acknowledged'],
  orphans: readonly number[],
): Promise<Findings> {
  await eventually('all folds have read all', async () => (await unread(runtime)) === 0, 60_000);
  const stats = await runtime.statsNow();
  const books: Record<string, number> = {};
  for (const { task, counters } of stats)
    for (const [name, value] of Object.entries(counters)) {
      // What services find to be poison is judged by its dead letters.
      if (name !== 'dead' || isFold(runtime, task)) books[name] = (books[name] ?? 0) + value;
    }
  const audit = await verifyAudit(runtime.parts.log, runtime);
  return {
    acknowledged,
    ...(await predictionsOf(runtime)),
    ...(await runsOf(runtime)),
    artifactsPerRun: 2,
    deadLetters: await deadLettersOf(runtime),
    auditProblems: audit.chains.flatMap(({ problems }) =>
      problems.map(
        ({ topic, partition, fromOffset, toOffset, kind }) =>
          `${topic}/${partition} ${fromOffset} to ${toOffset}: ${kind}`,
      ),
    ),
    auditedRecords: audit.chains.reduce((sum, { recordsVerified }) => sum + recordsVerified, 0),
    books,
    folds: stats
      .filter(({ task }) => isFold(runtime, task))
      .map(({ task, counters, position }) => ({ task, taken: counters['in'] ?? 0, position })),
    orphans,
  };
}

const foldNames = new Set(topologies.map(({ name }) => name));

function isFold(runtime: Runtime, task: string): boolean {
  return foldNames.has(task.slice((runtime.parts.prefix ?? '').length).split('/')[0] ?? '');
}

/** Records that some fold has not taken; ticks keep coming while timers are set, so it is looked at in one moment. */
async function unread(runtime: Runtime): Promise<number> {
  let behind = 0;
  for (const { task, position, endOffset, status } of await runtime.statsNow()) {
    if (!isFold(runtime, task)) continue;
    if (status !== 'running') return Number.POSITIVE_INFINITY;
    behind += Math.max(0, endOffset - position);
  }
  return behind;
}

async function* records<T extends EventTopic>(runtime: Runtime, topic: T): AsyncIterable<FollowedEvent<T>> {
  const { log } = runtime.parts;
  for (let partition = 0; partition < runtime.partitions(topic); partition++) {
    for await (const batch of log.read({ topic: runtime.topic(topic), partition }, { from: 0 })) {
      for (const record of batch)
        if (record.headers['millrace-control'] === undefined) yield await runtime.decode(topic, record);
    }
  }
}

/** The first record of a `ce_id` is the fact. */
async function* facts<T extends EventTopic>(runtime: Runtime, topic: T): AsyncIterable<FollowedEvent<T>> {
  const seen = new Set<string>();
  for await (const record of records(runtime, topic)) {
    if (seen.has(record.id)) continue;
    seen.add(record.id);
    yield record;
  }
}

/** Outcomes of requests with a client id, by all records: a repeat must say the same. */
async function predictionsOf(runtime: Runtime): Promise<Pick<Findings, 'outcomes' | 'feedback'>> {
  const outcomes = new Map<string, { ids: Set<string>; says: (PredictionCompleted | string)[] }>();
  const clientOf = new Map<string, string>();
  for await (const { type, data } of records(runtime, 'predictions')) {
    if (type !== 'prediction-completed' && type !== 'prediction-failed' && type !== 'prediction-conflicted') continue;
    if (data.clientId === null) continue;
    const found = outcomes.get(data.clientId) ?? { ids: new Set(), says: [] };
    outcomes.set(data.clientId, found);
    clientOf.set(data.predictionId, data.clientId);
    found.ids.add(data.predictionId);
    const said = type === 'prediction-completed' ? data : type;
    if (!found.says.some((other) => isSameSaying(said, other))) found.says.push(said);
  }
  return {
    outcomes: new Map(
      [...outcomes].map(([id, { ids, says }]) => [
        id,
        { ids, says: new Set(says.map((said) => JSON.stringify(said))) },
      ]),
    ),
    feedback: await feedbackOf(runtime, clientOf),
  };
}

function isSameSaying(a: PredictionCompleted | string, b: PredictionCompleted | string): boolean {
  return typeof a === 'string' || typeof b === 'string' ? a === b : isSameOutcome(a, b);
}

/** By client id of the prediction: each is told one truth. */
async function feedbackOf(runtime: Runtime, clientOf: ReadonlyMap<string, string>): Promise<Findings['feedback']> {
  const feedback = new Map<string, { rewarded: number; closed: string[] }>();
  for await (const { type, data } of facts(runtime, 'rewards')) {
    if (type !== 'reward-recorded' && type !== 'feedback-closed') continue;
    const id = clientOf.get(data.predictionId) ?? data.predictionId;
    const found = feedback.get(id) ?? { rewarded: 0, closed: [] };
    feedback.set(id, found);
    if (type === 'reward-recorded') found.rewarded += 1;
    else found.closed.push(data.outcome);
  }
  return feedback;
}

/** Letters are no events: each is the record that could not be read, and says where that lies. */
async function deadLettersOf(runtime: Runtime): Promise<Findings['deadLetters']> {
  const letters = new Map<string, Set<string>>();
  for await (const batch of runtime.parts.log.read({ topic: runtime.topic('dead-letters'), partition: 0 }, { from: 0 }))
    for (const letter of batch) {
      const [topic, partition, offset] = [
        deadLetterHeader.topic,
        deadLetterHeader.partition,
        deadLetterHeader.offset,
      ].map((name) => textHeader(letter, name));
      const place = `${topic}/${partition}@${offset}`;
      letters.set(place, (letters.get(place) ?? new Set()).add(letter.value?.toString('utf8') ?? ''));
    }
  return letters;
}

async function runsOf(runtime: Runtime): Promise<Pick<Findings, 'runs' | 'artifacts'>> {
  const numbers = new Map<string, number>();
  const ends = new Map<string, string>();
  for await (const { type, data } of facts(runtime, 'runs')) {
    if (type === 'run-requested') numbers.set(data.runId, (JSON.parse(data.parameters) as { number: number }).number);
    if (type === 'run-completed') ends.set(data.runId, 'completed');
    if (type === 'run-failed') ends.set(data.runId, `failed: ${data.step}: ${data.kind}: ${data.message}`);
  }
  const runs = new Map<number, string[]>();
  for (const [runId, number] of numbers)
    runs.set(number, [...(runs.get(number) ?? []), ends.get(runId) ?? 'not at all']);
  const artifacts = new Map<string, number>();
  for await (const { type, data } of facts(runtime, 'artifacts')) {
    if (type !== 'artifact-written') continue;
    const name = `${data.runId}/${data.taskId}/${data.artifact.name}`;
    artifacts.set(name, (artifacts.get(name) ?? 0) + 1);
  }
  return { runs, artifacts };
}
