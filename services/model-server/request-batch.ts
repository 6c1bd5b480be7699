/** One batch of records: parsed, predicted side by side, answered in order. */
import { unknownSchemaOf } from '../../runtime/engine/unknown-schema.ts';
import { crashPoint } from '../../runtime/engine/crash-points.ts';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import type { IdentifiedOutput, ServiceRecord, ServiceResult } from '../../runtime/engine/service.ts';
import { hasCode, type LogRecord, type MillraceError, type OutgoingRecord } from '../../runtime/ports/index.ts';
import { untilStopped } from './batch-stop.ts';
import { failed, type Outcome } from './outcomes.ts';
import type { Predictor } from './predictor.ts';
import { type ParsedRecord, parseRecord } from './record-request.ts';
import { isProbe, probeHeard, type RequestProbes, type Work } from './request-probes.ts';
import { type ReplyAddress, replyAddress, replyRecord } from './replies.ts';

export interface RequestBatchParts {
  readonly runtime: Runtime;
  readonly predictor: Predictor;
  /** Real names of the topics that may be replied to. */
  readonly replyTopics: ReadonlySet<string>;
  readonly probes: RequestProbes;
}

/**
 * Rejects only when the registry or the log cannot be reached, and the batch is then tried again, or when the signal has kept a request from
 * being answered, and the batch is left to whoever reads the partition next.
 */
export async function handleBatch(
  records: readonly ServiceRecord[],
  parts: RequestBatchParts,
  signal: AbortSignal,
): Promise<ServiceResult> {
  if (!records.some(isProbe)) return await answerBatch(records, parts, signal);
  const probes = records.filter(isProbe);
  const result = await answerBatch(
    records.filter((record) => !isProbe(record)),
    parts,
    signal,
  );
  const outputs = [...result.outputs, ...probes.map(probeHeard)];
  const count = { ...result.count, probes: probes.length };
  return { ...result, outputs, count, committed: () => parts.probes.answered(probes) };
}

async function answerBatch(
  batch: readonly ServiceRecord[],
  parts: RequestBatchParts,
  signal: AbortSignal,
): Promise<ServiceResult> {
  const { runtime, predictor } = parts;
  const partitions = runtime.partitions('predictions');
  const parsed: ParsedRecord[] = [];
  for (const record of batch) {
    const known = record.raw.value === null || runtime.codec.isPrepared(record.raw.value);
    const schemaError = known ? undefined : await unknownSchemaOf(record.raw.value, runtime.codec);
    parsed.push(parseRecord(record, runtime.codec, partitions, schemaError, signal));
  }
  const named = new Set(parsed.map(({ request }) => request.deployment));
  const work: Work = { outcomes: 0, heldBy: () => [...named].filter((name) => predictor.holdsBack(name)) };
  const partition = batch[0]?.raw.partition;
  if (partition !== undefined) parts.probes.begun(partition, work);
  const asked = parsed.map(async ({ request, poison }) => {
    const outcome = poison === undefined ? await predictor.predict(request) : failed(request, poison);
    work.outcomes += 1;
    return outcome;
  });
  const outcomes = await untilStopped(Promise.all(asked), signal, runtime.parts.clock).finally(() => {
    if (partition !== undefined) parts.probes.over(partition, work);
  });
  const replies = wantedReplies(batch, outcomes, parts.replyTopics);
  const outputs = outcomes.map(({ output }) => output);
  const deadLetters = parsed.flatMap((item, index) => {
    const record = batch[index]?.raw;
    return item.poison !== undefined && record !== undefined ? [{ record, error: item.poison }] : [];
  });
  const count = { ...countOutcomes(outcomes), repliesIgnored: replies.ignored };
  if (replies.wanted.length === 0) return { outputs, deadLetters, count };
  await runtime.publish(outputs);
  const undelivered = await sendReplies(replies.wanted, runtime);
  return { outputs: undelivered, deadLetters, count: { ...count, repliesUndelivered: undelivered.length } };
}

interface WantedReply {
  readonly outcome: Outcome;
  readonly address: ReplyAddress;
  readonly request: LogRecord;
}

function wantedReplies(
  batch: readonly ServiceRecord[],
  outcomes: readonly Outcome[],
  allowed: ReadonlySet<string>,
): { readonly wanted: readonly WantedReply[]; readonly ignored: number } {
  const wanted: WantedReply[] = [];
  let ignored = 0;
  for (const [index, { raw }] of batch.entries()) {
    const outcome = outcomes[index];
    const address = replyAddress(raw);
    if (address === undefined || outcome === undefined) continue;
    if (allowed.has(address.topic)) wanted.push({ outcome, address, request: raw });
    else ignored += 1;
  }
  return { wanted, ignored };
}

/**
 * Only after the predictions are acknowledged: a reply never says what the log does not. Answers what is to be said of replies that no
 * topic takes: their requests are answered all the same, and the next ones of the partition go on.
 */
async function sendReplies(wanted: readonly WantedReply[], runtime: Runtime): Promise<readonly IdentifiedOutput[]> {
  const { log } = runtime.parts;
  const partitions = new Map<string, number>();
  const undelivered: IdentifiedOutput[] = [];
  const replies: { readonly reply: WantedReply; readonly record: OutgoingRecord }[] = [];
  for (const reply of wanted) {
    const { outcome, address, request } = reply;
    try {
      const known = partitions.get(address.topic) ?? (await log.partitions(address.topic));
      partitions.set(address.topic, known);
      replies.push({ reply, record: replyRecord(outcome, address, request, known) });
    } catch (error) {
      undelivered.push(undeliveredReply(reply, error));
    }
  }
  crashPoint('before-reply');
  try {
    await log.append(replies.map(({ record }) => record));
  } catch (error) {
    if (!isRefusal(error)) throw error;
    for (const { reply, record } of replies)
      await log.append([record]).catch((refusal: unknown) => undelivered.push(undeliveredReply(reply, refusal)));
  }
  crashPoint('after-reply');
  return undelivered;
}

/** The topic does not exist or does not take it; trying again would change nothing. */
function isRefusal(error: unknown): error is MillraceError {
  return hasCode(error, 'NOT_FOUND', 'TOO_LARGE', 'INVALID_ARGUMENT', 'FORBIDDEN');
}

/** Rethrows what may go away. */
function undeliveredReply({ outcome, address }: WantedReply, error: unknown): IdentifiedOutput {
  if (!isRefusal(error)) throw error;
  const id = `reply-${outcome.predictionId}`;
  const detail = JSON.stringify({ topic: address.topic.slice(0, 249), message: error.message.slice(0, 1_000) });
  const object = outcome.predictionId;
  const data = { operationId: id, action: 'reply', object, actor: 'model-server', outcome: error.code, detail };
  return { topic: 'operations', type: 'operation-recorded', key: object, data, id };
}

function countOutcomes(outcomes: readonly Outcome[]): Readonly<Record<string, number>> {
  const counts = { completed: 0, failed: 0, conflicted: 0 };
  for (const { type } of outcomes) counts[type] += 1;
  return counts;
}
