/**
 * Tokens of running steps: `run-<run id>.<mac>`, where the mac is keyed by the platform's own token. With one, the code of a step may read, log,
 * and use MLflow's API, and is named as its run; the platform's token stays with the platform.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

/** @param key the platform's token; '' when it asks for none: then the token only says whose step calls */
export function runToken(runId: string, key: string): string {
  return `run-${runId}.${macOf(runId, key)}`;
}

/** The run whose step calls, by the header Authorization; undefined when the caller is none, or the mac is wrong. */
export function runOfToken(authorization: string, key: string): string | undefined {
  const [, runId = '', mac = ''] = /^Bearer run-([0-9a-f]{32})\.([0-9a-f]{64})$/.exec(authorization) ?? [];
  if (runId === '') return undefined;
  return timingSafeEqual(Buffer.from(mac), Buffer.from(macOf(runId, key))) ? runId : undefined;
}

function macOf(runId: string, key: string): string {
  return createHmac('sha256', `millrace-run\u0000${key}`).update(runId).digest('hex');
}
