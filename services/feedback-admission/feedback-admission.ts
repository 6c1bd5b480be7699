/**
 * Admits feedback from the open topic: each record becomes one `feedback-received` in the partition of `predictions` that its
 * prediction id names, or one a row when it has one value per row, or one `feedback-refused` on `operations`. Stateless: repeats are judged
 * where the feedback is joined.
 */
import { unknownSchemaOf } from '../../runtime/engine/unknown-schema.ts';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import type { IdentifiedOutput, Service, ServiceRecord } from '../../runtime/engine/service.ts';
import { messageOf } from '../../runtime/ports/index.ts';
import { PoisonError } from '../../schemas/codec/event-codec.ts';
import { type OpenEvent, parseOpen } from '../../schemas/codec/open-events.ts';
import { feedbackIdOfClient, idOf } from '../../schemas/derived-ids.ts';
import type { Position } from '../../schemas/events.ts';
import { judgementsOf, readFeedback } from '../../schemas/feedback-check.ts';

export interface FeedbackAdmissionOptions {
  readonly runtime: Runtime;
  /** How long feedback waits for a prediction that is not there yet. @default 3600000 */
  readonly waitMs?: number | undefined;
}

export function createFeedbackAdmission({
  runtime,
  waitMs = 3_600_000,
}: FeedbackAdmissionOptions): Service<'feedback'> {
  return {
    name: 'feedback-admission',
    inputs: ['feedback'],
    outputs: ['predictions', 'operations'],
    summary: 'admits feedback to the partition of its prediction, or refuses it',
    // one may have a thousand rows
    batchRecords: 200,
    async handle(batch) {
      const admissions: Admission[] = [];
      for (const record of batch)
        admissions.push(admit(record, runtime, waitMs, await unknownSchemaOf(record.raw.value, runtime.codec)));
      const refused = admissions.filter(({ type }) => type !== 'admitted').length;
      return {
        outputs: admissions.flatMap(({ outputs }) => outputs),
        deadLetters: admissions.flatMap((admission, index) => {
          const record = batch[index]?.raw;
          return admission.type === 'poison' && record !== undefined ? [{ record, error: admission.error }] : [];
        }),
        count: { admitted: admissions.length - refused, refused },
      };
    },
  };
}

type Admission =
  | { readonly type: 'admitted' | 'refused'; readonly outputs: readonly IdentifiedOutput[] }
  | { readonly type: 'poison'; readonly outputs: readonly IdentifiedOutput[]; readonly error: unknown };

function admit({ raw, meta }: ServiceRecord, runtime: Runtime, waitMs: number, unknown: Error | undefined): Admission {
  const source = { topic: 'feedback', partition: raw.partition, offset: raw.offset };
  let feedbackId = idOf('position', `feedback@${raw.partition}@${raw.offset}`);
  try {
    if (unknown !== undefined) throw unknown;
    const event = parseOpen(raw, runtime.codec);
    const clientId = clientIdOf(event);
    // An id of the client's is that of one feedback for one prediction.
    if (clientId !== undefined) feedbackId = feedbackIdOfClient(event.source ?? '', clientId, predictionIdOf(event));
    if (event.format === 'avro' && event.name !== 'feedback/feedback-given') {
      throw new PoisonError(`the record holds a ${event.name}, not a feedback/feedback-given`);
    }
    const read = readFeedback(event.data, runtime.partitions('predictions'));
    if (read.problems !== undefined)
      return { type: 'refused', outputs: [refusal(feedbackId, source, read.problems.join('; '))] };
    const { feedback, partition } = read;
    const { predictionId } = feedback;
    const of = { feedbackId, predictionId, source, actor: event.source ?? 'topic feedback', waitMs };
    const key = meta.key === '' ? predictionId : meta.key;
    const outputs = judgementsOf(feedback).map((said): IdentifiedOutput => {
      // The same id with another content is no repeat: where feedback is joined, the two are compared.
      const { truth, label, reward, row, rows } = said;
      const content = row === null ? [truth, label, reward] : [truth, label, reward, row, rows];
      const id = idOf(feedbackId, JSON.stringify(content));
      return { topic: 'predictions', type: 'feedback-received', data: { ...of, ...said }, key, partition, id };
    });
    return { type: 'admitted', outputs };
  } catch (error) {
    return { type: 'poison', outputs: [refusal(feedbackId, source, messageOf(error))], error };
  }
}

function refusal(feedbackId: string, source: Position, reason: string): IdentifiedOutput {
  const data = { feedbackId, source, reason: reason.slice(0, 1_000) };
  return { topic: 'operations', type: 'feedback-refused', data, key: feedbackId, id: feedbackId };
}

/** A client's own id, from the cloud event or from a property `id` of plain JSON. */
function clientIdOf(event: OpenEvent): string | undefined {
  if (event.id !== undefined) return event.id;
  if (event.format !== 'json' || typeof event.data !== 'object' || event.data === null) return undefined;
  const { id } = event.data as { id?: unknown };
  return typeof id === 'string' && id !== '' ? id : undefined;
}

function predictionIdOf({ data }: OpenEvent): string {
  const { predictionId } = (data ?? {}) as { readonly predictionId?: unknown };
  return typeof predictionId === 'string' ? predictionId : '';
}
