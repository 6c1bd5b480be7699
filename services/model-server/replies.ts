/**
 * Answers to the topic that a request names, as Open Inference Protocol JSON. Spring's names are understood: `kafka_replyTopic`,
 * `kafka_replyPartition`, `kafka_correlationId`; clients of NestJS, which send the same, also hear that there is no further answer
 * (`kafka_nest-is-disposed`), and of a failure (`kafka_nest-err`). Only topics that the operator allows are written to.
 */
import type { LogRecord, OutgoingRecord } from '../../runtime/ports/index.ts';
import { headerText } from '../../schemas/codec/open-events.ts';
import { partitionOf } from '../../schemas/partitioner.ts';
import { formatInferResponse, type InferResponse } from './open-inference/index.ts';
import type { Outcome } from './outcomes.ts';

export interface ReplyAddress {
  readonly topic: string;
  readonly partition: number | undefined;
  /** Given back as it came. */
  readonly correlationId: Buffer | undefined;
}

/** undefined when the request wants no reply. */
export function replyAddress(request: LogRecord): ReplyAddress | undefined {
  // Most want none, and all headers of a record are dear to parse.
  const topic = headerText(request, 'kafka_replyTopic');
  if (topic === undefined || topic === '') return undefined;
  const { headers } = request;
  return {
    topic,
    partition: partitionNumber(headers['kafka_replyPartition']),
    correlationId: headers['kafka_correlationId'],
  };
}

/** `partitions`: of the reply topic. Without an address inside of it, the correlation id (else the key) decides. */
export function replyRecord(
  outcome: Outcome,
  address: ReplyAddress,
  request: LogRecord,
  partitions: number,
): OutgoingRecord {
  const { topic, partition, correlationId } = address;
  const key = request.key;
  const addressed = partition !== undefined && partition < partitions;
  return {
    topic,
    partition: addressed ? partition : partitionOf(correlationId ?? key ?? Buffer.alloc(0), partitions),
    key,
    value: Buffer.from(JSON.stringify(replyBody(outcome))),
    headers: {
      'content-type': 'application/json',
      ...(correlationId === undefined ? {} : correlated(correlationId, outcome)),
      'millrace-prediction': outcome.predictionId,
    },
  };
}

function correlated(correlationId: Buffer, outcome: Outcome): Readonly<Record<string, Buffer | string>> {
  const last = { kafka_correlationId: correlationId, 'kafka_nest-is-disposed': '1' };
  if (outcome.type === 'completed') return last;
  return { ...last, 'kafka_nest-err': outcome.type === 'failed' ? outcome.data.message : outcome.message };
}

/** The answer, or `{error, code, id}`. */
export function replyBody(outcome: Outcome): unknown {
  if (outcome.type === 'completed') return inferResponse(outcome);
  if (outcome.type === 'conflicted') {
    return { error: outcome.message, code: 'CONFLICT', id: outcome.predictionId };
  }
  const { code, message, predictionId } = outcome.data;
  return { error: message, code, id: predictionId };
}

export function inferResponse(outcome: Extract<Outcome, { type: 'completed' }>): object {
  return formatInferResponse(openResponse(outcome));
}

/** Open Inference Protocol v2; what Millrace knows beyond it is in the parameters. */
export function openResponse({ data, outputs }: Extract<Outcome, { type: 'completed' }>): InferResponse {
  return {
    modelName: data.deployment,
    modelVersion: String(data.deploymentVersion),
    id: data.clientId ?? data.predictionId,
    parameters: {
      prediction_id: data.predictionId,
      route: data.route,
      model: data.model,
      model_version: data.modelVersion,
    },
    outputs,
  };
}

/** Four bytes, big-endian, as Spring writes it; or decimal text. */
function partitionNumber(bytes: Buffer | undefined): number | undefined {
  if (bytes === undefined) return undefined;
  if (bytes.length === 4 && bytes[0] === 0) return bytes.readInt32BE();
  const text = bytes.toString('utf8');
  return /^\d{1,6}$/.test(text) ? Number(text) : undefined;
}
