/** The pod's side of the {@link file://./step-door.ts door}. */
import { readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { type ErrorCode, errorCodes, MillraceError, messageOf } from '../../ports/errors.ts';
import type { ArtifactRef, TaskWork } from '../../ports/task-executor.ts';
import type { SaidOutput } from './step-door.ts';
import { fromJson, toJson } from './task-json.ts';

export interface DoorClientOptions {
  readonly url: string;
  /** Read for each call: the platform renews it. */
  readonly tokenFile: string;
  /** How long the worker may be out of reach, milliseconds. */
  readonly patienceMs: number;
  /** Called once, when the worker has been out of reach for `patienceMs`, or says that nobody waits any more. */
  lost(reason: string): void;
}

const callMs = 30_000;

export type DoorBody = string | Buffer<ArrayBuffer> | ReadableStream;

export class DoorClient {
  readonly #options: DoorClientOptions;
  #reachedAt = performance.now();
  #lost: string | undefined;

  constructor(options: DoorClientOptions) {
    this.#options = options;
  }

  async work(): Promise<TaskWork> {
    const response = await this.call('GET', '/work');
    return fromJson(await response.text()) as TaskWork;
  }

  async say(output: SaidOutput): Promise<void> {
    await this.call('POST', '/output', { body: JSON.stringify(output) });
  }

  async checkpoint(saved: ArtifactRef): Promise<void> {
    await this.call('POST', '/checkpoints', { body: toJson(saved) });
  }

  async end(outcome: string): Promise<void> {
    await this.call('POST', '/end', { body: JSON.stringify({ outcome }) });
  }

  /** Tried again until the worker answers or counts as lost; a refusal is thrown. A body that is a stream is `make`d for each try. */
  async call(
    method: string,
    path: string,
    more: { readonly body?: DoorBody; readonly make?: () => DoorBody; readonly headers?: Record<string, string> } = {},
  ): Promise<Response> {
    for (let waitMs = 50; ; waitMs = Math.min(2 * waitMs, 2_000)) {
      if (this.#lost !== undefined) throw new MillraceError('UNAVAILABLE', this.#lost);
      let problem: string;
      try {
        const response = await this.#once(method, path, more);
        if (response.ok || response.status < 500) this.#reachedAt = performance.now();
        if (response.ok) return response;
        const refusal = await refusalOf(response);
        if (response.status === 409) this.#giveUp(refusal.message);
        if (response.status < 500) throw refusal;
        problem = refusal.message;
      } catch (error) {
        if (error instanceof MillraceError) throw error;
        problem = reasonOf(error);
      }
      const silentMs = performance.now() - this.#reachedAt;
      if (silentMs > this.#options.patienceMs)
        this.#giveUp(`the worker at ${this.#options.url} was out of reach for ${Math.round(silentMs)} ms: ${problem}`);
      await wait(waitMs);
    }
  }

  async #once(
    method: string,
    path: string,
    { body, make, headers = {} }: { body?: DoorBody; make?: () => DoorBody; headers?: Record<string, string> },
  ): Promise<Response> {
    const token = (await readFile(this.#options.tokenFile, 'utf8')).trim();
    const sent = make?.() ?? body;
    return await fetch(new URL(path, this.#options.url), {
      method,
      headers: { ...headers, authorization: `Bearer ${token}` },
      ...(sent === undefined ? {} : { body: sent, duplex: 'half' as const }),
      // bytes take as long as they take
      ...(path.startsWith('/blobs') ? {} : { signal: AbortSignal.timeout(callMs) }),
    });
  }

  #giveUp(reason: string): void {
    if (this.#lost !== undefined) return;
    this.#lost = reason;
    this.#options.lost(reason);
  }
}

async function refusalOf(response: Response): Promise<MillraceError> {
  const body = (await response.json().catch(() => ({}))) as { readonly code?: string; readonly message?: string };
  const code: ErrorCode = body.code !== undefined && body.code in errorCodes ? (body.code as ErrorCode) : 'FORBIDDEN';
  return new MillraceError(code, body.message ?? `the worker answered ${response.status}`);
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && cause.message !== '' ? cause.message : messageOf(error);
}
