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
  /** Oldest version of the deployment that may answer. */
  readonly versionMin: number;
  /** Outputs that the answer shall have; all are recorded. */
  readonly outputNames: readonly string[] | undefined;
  /** Route that the request names; taken as long as it has traffic. */
  readonly pinned: string | undefined;
  /** Whoever asked has gone, and cannot ask again. */
  readonly cancelled: (() => boolean) | undefined;
}

export type PredictionRequest = RequestIdentity & RequestContent;

/** Of a request that makes no sense. */
export const nothingRead: RequestContent = {
  inputs: [],
  eventInputs: [],
  inputDigest: '',
  deadlineMs: undefined,
  versionMin: 1,
  outputNames: undefined,
  pinned: undefined,
  cancelled: undefined,
};

export interface IdentityParts {
  readonly deployment: string;
  readonly entity: string;
  /** The client's own id; unique per source and entity. */
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
      : predictionIdOfClient({ entity, clientId, source: parts.clientSource }, parts.partitions);
  return {
    predictionId: id,
    partition,
    entity,
    deployment,
    clientId,
    source,
    receivedAt,
    inputs: content.inputs,
    eventInputs: content.eventInputs,
    inputDigest: content.inputDigest,
    deadlineMs: content.deadlineMs,
    versionMin: content.versionMin,
    outputNames: content.outputNames,
    pinned: content.pinned,
    cancelled: clientId === null ? content.cancelled : undefined,
  };
}

/** A deadline in ISO 8601, with its zone; undefined when there is none. */
export function parseDeadline(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const at = Date.parse(text);
  if (/^\d{4}-\d{2}-\d{2}T.*(Z|[+-]\d{2}:?\d{2})$/.test(text) && !Number.isNaN(at)) return at;
  throw new MillraceError(
    'INVALID_ARGUMENT',
    `millrace-deadline must be ISO 8601 with a zone, like 2026-01-31T12:00:00Z, got '${text.slice(0, 40)}'`,
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
