/** A request to predict, whatever way it came, and the ids that it gets. */
import { MillraceError, type Tensor } from '../../runtime/ports/index.ts';
import { predictionId, predictionIdOfClient } from '../../schemas/derived-ids.ts';
import type { Tensor as EventTensor, Position } from '../../schemas/events.ts';
import { partitionOf } from '../../schemas/partitioner.ts';

/** Who asks and under which ids: known even when the rest of the request makes no sense. */
export interface RequestIdentity {
  readonly predictionId: string;
  /** Partition of `predictions`, which the id names. */
  readonly partition: number;
  /** Key of the request; the position, or an id of its own, when the caller gave none. */
  readonly entity: string;
  /** '' when the caller did not name one. */
  readonly deployment: string;
  readonly clientId: string | null;
  /** Where it lies; null for HTTP. */
  readonly source: Position | null;
  /** Append time, or arrival by HTTP: milliseconds. */
  readonly receivedAt: number;
  /** What makes this try unique, whatever id its client gave it: its position, or a fresh id. */
  readonly unique: readonly (string | number)[];
}

/** What is asked. */
export interface RequestContent {
  readonly inputs: readonly Tensor[];
  /** The same, as events carry them. */
  readonly eventInputs: readonly EventTensor[];
  /** '' when nothing could be read. */
  readonly inputDigest: string;
  /** Milliseconds since the epoch; later than this, the outcome is a failure. */
  readonly deadlineMs: number | undefined;
  /** Of the deployment, when the deadline is what it allows. */
  readonly timeoutMs: number | undefined;
  /** When what it is about happened, milliseconds; undefined: when it was received. */
  readonly eventTimeMs: number | undefined;
  /** Oldest version of the deployment that may answer. */
  readonly versionMin: number;
  /** Outputs that the answer shall have; all are recorded. */
  readonly outputNames: readonly string[] | undefined;
  /** Route that the request names; taken as long as it has traffic. */
  readonly pinned: string | undefined;
  /** Whoever asked has gone, and cannot ask again. */
  readonly cancelled: (() => boolean) | undefined;
  /** Of a request by topic: aborts when its partition goes to another server. */
  readonly stopped: AbortSignal | undefined;
}

export type PredictionRequest = RequestIdentity & RequestContent;

/** Of a request that makes no sense. */
export const nothingRead: RequestContent = {
  inputs: [],
  eventInputs: [],
  inputDigest: '',
  deadlineMs: undefined,
  timeoutMs: undefined,
  eventTimeMs: undefined,
  versionMin: 1,
  outputNames: undefined,
  pinned: undefined,
  cancelled: undefined,
  stopped: undefined,
};

export interface IdentityParts {
  readonly deployment: string;
  readonly entity: string;
  /** The client's own id; unique per deployment, source and entity. */
  readonly clientId: string | null;
  /** Who gave the client id. */
  readonly clientSource: string;
  /** What makes the request unique when it has no client id: its position, or a fresh id. */
  readonly unique: readonly (string | number)[];
  readonly source: Position | null;
  readonly receivedAt: number;
  /** Of `predictions`. */
  readonly partitions: number;
}

/** Written out, because spreading objects costs more than the rest of a small request. */
export function identify(parts: IdentityParts, content: RequestContent): PredictionRequest {
  const { entity, clientId, deployment, source, receivedAt } = parts;
  const partition = partitionOf(entity, parts.partitions);
  const id =
    clientId === null
      ? predictionId(partition, ...parts.unique)
      : predictionIdOfClient({ deployment, entity, clientId, source: parts.clientSource }, parts.partitions);
  return {
    predictionId: id,
    partition,
    entity,
    deployment,
    clientId,
    source,
    receivedAt,
    unique: parts.unique,
    inputs: content.inputs,
    eventInputs: content.eventInputs,
    inputDigest: content.inputDigest,
    deadlineMs: content.deadlineMs,
    timeoutMs: content.timeoutMs,
    eventTimeMs: content.eventTimeMs,
    versionMin: content.versionMin,
    outputNames: content.outputNames,
    pinned: content.pinned,
    cancelled: clientId === null ? content.cancelled : undefined,
    stopped: content.stopped,
  };
}

/**
 * The same request under the id of this try alone: what came of the try is no outcome of the client's id, which may be tried again and have
 * another. Each prediction id has one outcome.
 */
export function tryOf(request: PredictionRequest): PredictionRequest {
  return { ...request, predictionId: predictionId(request.partition, ...request.unique) };
}

const zoned = /^\d{4}-\d{2}-\d{2}T.*(Z|[+-]\d{2}:?\d{2})$/i;

/** A deadline in ISO 8601, with its zone; undefined when there is none. */
export function parseDeadline(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const at = Date.parse(text);
  if (zoned.test(text) && !Number.isNaN(at)) return at;
  throw new MillraceError(
    'INVALID_ARGUMENT',
    `millrace-deadline must be ISO 8601 with a zone, like 2026-01-31T12:00:00Z, got '${text.slice(0, 40)}'`,
  );
}

/**
 * When what a request is about happened: its parameter `event_time`, else the header `millrace-event-time`, else the time of its
 * CloudEvent. ISO 8601 with its zone, or milliseconds since the epoch; undefined when it says none.
 */
export function parseEventTime(...given: readonly unknown[]): number | undefined {
  const value = given.find((one) => one !== undefined && one !== null);
  if (value === undefined) return undefined;
  const text = typeof value === 'string' || typeof value === 'number' ? String(value) : typeof value;
  const at = /^\d{1,15}$/.test(text) ? Number(text) : zoned.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(at)) return at;
  throw new MillraceError(
    'INVALID_ARGUMENT',
    `the event time must be ISO 8601 with a zone, like 2026-01-31T12:00:00Z, or milliseconds, got '${text.slice(0, 40)}'`,
  );
}

/** The least version of the deployment, for callers who have just deployed; 1 when there is none. */
export function parseVersionMin(text: string | undefined): number {
  if (text === undefined) return 1;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new MillraceError(
    'INVALID_ARGUMENT',
    `millrace-deployment-version must be a whole number from 1, got '${text.slice(0, 40)}'`,
  );
}
