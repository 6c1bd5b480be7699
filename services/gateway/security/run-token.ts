/**
 * Tokens of running steps: `run-<run id>.<end>.<mac>`, where the mac is keyed by the platform's own token, and the end is in milliseconds since
 * 1970, hexadecimal. With one, the code of a step may read, log, ask models, and use MLflow's API, and is named as its run, until then; the
 * platform's token stays with the platform.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

/** @param key the platform's token; '' when it asks for none: then the token only says whose step calls */
export function runToken(runId: string, endsAtMs: number, key: string): string {
  const said = `${runId}.${Math.ceil(endsAtMs).toString(16)}`;
  return `run-${said}.${macOf(said, key)}`;
}

/** What the header Authorization says of a step that calls; undefined when the caller is none, or the mac is wrong. */
export function stepOfToken(
  authorization: string,
  key: string,
  nowMs: number,
): { readonly runId: string; readonly over: boolean } | undefined {
  const match = /^Bearer run-([0-9a-f]{32})\.([0-9a-f]{1,13})\.([0-9a-f]{64})$/.exec(authorization);
  const [, runId = '', end = '', mac = ''] = match ?? [];
  if (!timingSafeEqual(Buffer.from(mac.padEnd(64)), Buffer.from(macOf(`${runId}.${end}`, key)))) return undefined;
  return { runId, over: nowMs > Number.parseInt(end, 16) };
}

function macOf(said: string, key: string): string {
  return createHmac('sha256', `millrace-run\u0000${key}`).update(said).digest('hex');
}
