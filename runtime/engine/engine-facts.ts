import { createHash } from 'node:crypto';
import { MillraceError, messageOf } from '../ports/errors.ts';
import type { IdentifiedOutput } from './service.ts';
import type { Output } from './topology.ts';

/** What the engine itself says on `operations`. */

export interface Gap {
  readonly origin: string;
  readonly fromOrdinal: number;
  readonly toOrdinal: number;
}

/** Stamped records are missing: loud, never silent, never stuck. */
export function gapOutput(task: string, { origin, fromOrdinal, toOrdinal }: Gap): Output {
  return { topic: 'operations', type: 'gap-detected', key: task, data: { task, origin, fromOrdinal, toOrdinal } };
}

/** The same under an id, for services, which have no stamps. */
export function gapFact(task: string, gap: Gap): IdentifiedOutput {
  const id = `gap-${digest(task, gap.origin, String(gap.fromOrdinal))}`;
  return { ...gapOutput(task, gap), id };
}

/** A service asked for an output that no topic takes. */
export function refusedOutput(
  task: string,
  actor: string,
  { topic, type, id }: IdentifiedOutput,
  error: unknown,
): IdentifiedOutput {
  const operationId = `refused-${digest(task, topic, id)}`;
  const outcome = error instanceof MillraceError ? error.code : 'INVALID_ARGUMENT';
  const detail = JSON.stringify({ topic, type, id: id.slice(0, 200), message: messageOf(error).slice(0, 1000) });
  const data = { operationId, action: 'output-refused', object: task, actor, outcome, detail };
  return { topic: 'operations', type: 'operation-recorded', key: task, data, id: operationId };
}

function digest(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join(' ')).digest('hex').slice(0, 32);
}
