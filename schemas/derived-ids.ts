import { hash } from 'node:crypto';
import type { FeedbackReceived } from './events.generated.ts';
import { partitionOf } from './partitioner.ts';

/** An id that follows from names (32 hex characters of a sha256), fit for a `ce_id`: the same request says the same. */
export function idOf(...parts: readonly (string | number)[]): string {
  return hash('sha256', parts.join('\u0000'), 'hex').slice(0, 32);
}

/**
 * A UUIDv7-shaped id (32 hex characters) made from a time and names instead of chance, for folds and services that must say the
 * same id again when they say the same thing again: 48 bits of milliseconds, version 7, then bits of a sha256 over the parts.
 */
export function derivedId(timeMs: number, ...parts: readonly (string | number)[]): string {
  const digest = hash('sha256', parts.join('\u0000'), 'buffer');
  const bytes = Buffer.alloc(16);
  bytes.writeUIntBE(Math.max(0, Math.floor(timeMs)), 0, 6);
  digest.copy(bytes, 6, 0, 10);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString('hex');
}

/**
 * A {@link derivedId} that lies on the same partition as another key: for what a fold must read together.
 */
export function derivedIdBeside(
  beside: string,
  partitions: number,
  timeMs: number,
  ...parts: readonly string[]
): string {
  const wanted = partitionOf(beside, partitions);
  for (let nonce = 0; ; nonce++) {
    const id = derivedId(timeMs, ...parts, nonce);
    if (partitionOf(id, partitions) === wanted) return id;
  }
}

/**
 * A prediction id names the partition of `predictions` that holds it: `<partition in hex, 4><28 hex of a sha256>`, 32 characters.
 * `parts` is the request's position, or (source, entity, deployment, client id) when the client gives an id.
 */
export function predictionId(partition: number, ...parts: readonly (string | number)[]): string {
  const digest = hash('sha256', parts.join('\u0000'), 'hex');
  return partition.toString(16).padStart(4, '0') + digest.slice(0, 28);
}

export interface ClientRequest {
  /** The same id asked of another deployment is another question. */
  readonly deployment: string;
  /** The user's entity; it names the partition. */
  readonly entity: string;
  readonly clientId: string;
  /** Who gave the client id; '' on a topic, when no CloudEvent says it. */
  readonly source: string;
}

/** Of a request with an id of its client's: a repeat has the same. `partitions`: of `predictions`. */
export function predictionIdOfClient(
  { deployment, entity, clientId, source }: ClientRequest,
  partitions: number,
): string {
  return predictionId(partitionOf(entity, partitions), 'client', source, entity, deployment, clientId);
}

/** The partition that a prediction id names; undefined when it is none, or beyond `partitions`. */
export function partitionOfPrediction(id: string, partitions: number): number | undefined {
  if (!/^[0-9a-f]{32}$/.test(id)) return undefined;
  const partition = Number.parseInt(id.slice(0, 4), 16);
  return partition < partitions ? partition : undefined;
}

/** Of a tracked run that was begun with a key of its program's: whoever has the key goes on with the same run. */
export function runIdOfKey(key: string): string {
  return idOf('run', key);
}

/** Who speaks when the platform says something outside of any topology or service: `ce_source` is `/millrace/<it>`. */
export const publishedBy = 'platform';

/** Of one feedback for one prediction; `clientId` is unique for its source. */
export function feedbackIdOfClient(source: string, clientId: string, predictionId: string): string {
  return idOf('client', source, clientId, predictionId);
}

/** Of a feedback that has the id of one before it and says something else: its outcome is not that of the first. */
export function feedbackIdOfContent(
  feedbackId: string,
  { truth, label, reward }: Pick<FeedbackReceived, 'truth' | 'label' | 'reward'>,
): string {
  return idOf('content', feedbackId, JSON.stringify([truth, label, reward]));
}

/** Under which the feedback is found that the platform takes over HTTP: its record names the platform as source. */
export function feedbackIdOfCall(recordId: string, predictionId: string): string {
  return feedbackIdOfClient(`/millrace/${publishedBy}`, recordId, predictionId);
}
