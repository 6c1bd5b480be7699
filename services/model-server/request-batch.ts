/** One batch of records: parsed, predicted side by side, answered in order. */
import { crashPoint } from '../../runtime/engine/crash-points.ts';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import type { ServiceRecord, ServiceResult } from '../../runtime/engine/service.ts';
import { hasCode, type LogRecord } from '../../runtime/ports/index.ts';
import { PoisonError } from '../../schemas/codec/event-codec.ts';
import { failed, type Outcome } from './outcomes.ts';
import type { Predictor } from './predictor.ts';
import { type ParsedRecord, parseRecord } from './record-request.ts';
import { type ReplyAddress, replyAddress, replyRecord } from './replies.ts';

export interface RequestBatchParts {
  readonly runtime: Runtime;
  readonly predictor: Predictor;
  /** Real names of the topics that may be replied to. */
  readonly replyTopics: ReadonlySet<string>;
}

/** Rejects only when the registry or the log cannot be reached: the batch is then tried again. */
export async function handleBatch(batch: readonly ServiceRecord[], parts: RequestBatchParts): Promise<ServiceResult> {
  const { runtime, predictor } = parts;
  const partitions = runtime.partitions('predictions');
  const parsed: ParsedRecord[] = [];
  for (const record of batch) {
    const known = record.raw.value === null || runtime.codec.isPrepared(record.raw.value);
    const schemaError = known ? undefined : await fetchSchema(record.raw, runtime);
    parsed.push(parseRecord(record, runtime.codec, partitions, schemaError));
  }
  const outcomes = await Promise.all(
    parsed.map(({ request, poison }) =>
      poison === undefined ? predictor.predict(request) : Promise.resolve(failed(request, poison)),
    ),
  );
  const replies = wantedReplies(batch, outcomes, parts.replyTopics);
  const outputs = outcomes.map(({ output }) => output);
  const deadLetters = parsed.flatMap((item, index) => {
    const record = batch[index]?.raw;
    return item.poison !== undefined && record !== undefined ? [{ record, error: item.poison }] : [];
  });
  const count = { ...countOutcomes(outcomes), repliesIgnored: replies.ignored };
  if (replies.wanted.length === 0) return { outputs, deadLetters, count };
  await runtime.publish(outputs);
  await sendReplies(replies.wanted, runtime);
  return { outputs: [], deadLetters, count };
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

/** Only after the predictions are acknowledged: a reply never says what the log does not. */
async function sendReplies(wanted: readonly WantedReply[], { parts: { log } }: Runtime): Promise<void> {
  const partitions = new Map<string, number>();
  for (const { address } of wanted) {
    if (!partitions.has(address.topic)) partitions.set(address.topic, await log.partitions(address.topic));
  }
  crashPoint('before-reply');
  await log.append(
    wanted.map(({ outcome, address, request }) =>
      replyRecord(outcome, address, request, partitions.get(address.topic) ?? 1),
    ),
  );
  crashPoint('after-reply');
}

/** "The registry has no such schema" is a verdict on the record; "it does not answer" stops the batch. */
async function fetchSchema({ value }: LogRecord, { codec }: Runtime): Promise<Error | undefined> {
  try {
    await codec.prepare([value]);
    return undefined;
  } catch (error) {
    if (hasCode(error, 'UNKNOWN_SCHEMA') || error instanceof PoisonError) return error;
    throw error;
  }
}

function countOutcomes(outcomes: readonly Outcome[]): Readonly<Record<string, number>> {
  const counts = { completed: 0, failed: 0, conflicted: 0 };
  for (const { type } of outcomes) counts[type] += 1;
  return counts;
}
