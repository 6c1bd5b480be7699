/**
 * A record of `prediction-requests` as a request: plain Open Inference Protocol JSON, Avro, or a CloudEvent around either.
 *
 * Headers: `millrace-deployment` (MLServer's `mlserver-model` is understood too), `millrace-deadline`, `millrace-deployment-version`,
 * `millrace-event-time`,
 * `millrace-route` (Seldon's `x-seldon-route` is understood too), `kafka_replyTopic`, `kafka_replyPartition`, `kafka_correlationId`.
 */
import type { ServiceRecord } from '../../runtime/engine/service.ts';
import { MillraceError } from '../../runtime/ports/index.ts';
import { type EventCodec, PoisonError } from '../../schemas/codec/event-codec.ts';
import { headerText, type OpenEvent, parseOpen } from '../../schemas/codec/open-events.ts';
import type { PredictionRequested, Tensor as EventTensor } from '../../schemas/events.ts';
import { inputDigest } from '../../schemas/input-digest.ts';
import { pinnedRoute } from '../../schemas/traffic.ts';
import { eventOfTensor, tensorOfEvent } from './event-tensors.ts';
import { parseInferRequest } from './open-inference/index.ts';
import {
  identify,
  nothingRead,
  parseDeadline,
  parseEventTime,
  parseVersionMin,
  type PredictionRequest,
} from './prediction-request.ts';

export interface ParsedRecord {
  /** Without content when it is poison. */
  readonly request: PredictionRequest;
  /** Why nobody can make sense of it: a failure for its sender, a dead letter for its operator. */
  readonly poison: unknown;
}

/** Catalogue name of the topic; positions name it whatever the prefix. */
export const requestTopic = 'prediction-requests';

/** Never throws. `codec` must have the record's schema at hand, unless `schemaError` says why it has not. */
export function parseRecord(
  { raw, meta }: ServiceRecord,
  codec: EventCodec,
  partitions: number,
  schemaError: Error | undefined,
  stopped: AbortSignal,
): ParsedRecord {
  const source = { topic: requestTopic, partition: raw.partition, offset: raw.offset };
  const position = `${requestTopic}@${raw.partition}@${raw.offset}`;
  const unique = [position];
  const receivedAt = raw.timestampMs;
  const named = headerText(raw, 'millrace-deployment') ?? headerText(raw, 'mlserver-model') ?? '';
  try {
    if (schemaError !== undefined) throw schemaError;
    const event = parseOpen(raw, codec);
    const body = parseBody(event);
    const clientId = body.id ?? event.id ?? null;
    const deployment = named === '' ? body.deployment : named;
    // Without a key, a repeat must still find its way to the same entity.
    const entity = meta.key === '' ? (clientId ?? position) : meta.key;
    const clientSource = event.source ?? '';
    const request = identify(
      { deployment, entity, clientId, clientSource, unique, source, receivedAt, partitions },
      {
        inputs: body.inputs,
        eventInputs: body.eventInputs,
        outputNames: body.outputNames,
        inputDigest: inputDigest(body.eventInputs),
        eventTimeMs: parseEventTime(body.eventTime, headerText(raw, 'millrace-event-time'), event.time),
        deadlineMs: parseDeadline(headerText(raw, 'millrace-deadline')),
        timeoutMs: undefined,
        versionMin: parseVersionMin(headerText(raw, 'millrace-deployment-version')),
        pinned: pinnedRoute(headerText(raw, 'millrace-route') ?? headerText(raw, 'x-seldon-route')),
        cancelled: undefined,
        stopped,
      },
    );
    return { request, poison: undefined };
  } catch (poison) {
    const entity = meta.key === '' ? position : meta.key;
    const deployment = named.slice(0, 80);
    const parts = { deployment, entity, clientId: null, clientSource: '', unique, source, receivedAt, partitions };
    return { request: identify(parts, nothingRead), poison };
  }
}

interface Body {
  readonly id: string | undefined;
  /** '' when the body names none. */
  readonly deployment: string;
  readonly inputs: PredictionRequest['inputs'];
  readonly eventInputs: readonly EventTensor[];
  readonly outputNames: readonly string[] | undefined;
  readonly eventTime: string | number | boolean | undefined;
}

function parseBody(event: OpenEvent): Body {
  if (event.format === 'json') {
    const { id, inputs, parameters, outputs, pending } = parseInferRequest(event.data);
    if (pending?.frame === true) {
      throw new MillraceError(
        'UNSUPPORTED',
        'content_type pd is understood by HTTP and gRPC; by topic, send the tensors',
      );
    }
    const named = parameters?.['deployment'];
    return {
      id: id === '' ? undefined : id,
      deployment: typeof named === 'string' ? named : '',
      inputs,
      eventInputs: inputs.map(eventOfTensor),
      outputNames: outputs,
      eventTime: parameters?.['event_time'],
    };
  }
  if (event.name !== `${requestTopic}/prediction-requested`) {
    throw new PoisonError(`the record holds a ${event.name}, not a ${requestTopic}/prediction-requested`);
  }
  const { id, inputs } = event.data as PredictionRequested;
  return {
    id: id === null || id === '' ? undefined : id,
    deployment: '',
    inputs: inputs.map(tensorOfEvent),
    eventInputs: inputs,
    outputNames: undefined,
    eventTime: undefined,
  };
}
