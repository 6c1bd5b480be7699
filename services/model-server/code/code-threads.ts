/**
 * Runs custom code of deployments, each bundle in a thread of its own with limits on time and memory. Calls share the thread; when one
 * of them blocks or kills it, each that was under way is run again alone, so that only the guilty one fails.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StepFiles } from '../../../runtime/adapters/process-executor/step-files.ts';
import { lacksFunction } from '../../../runtime/inference-graph/call-code.ts';
import type { CodeAnswer, CodeCall } from '../../../runtime/inference-graph/graph-services.ts';
import { type BlobStore, hasCode, MillraceError } from '../../../runtime/ports/index.ts';
import type { CodePin } from '../../../schemas/inference-graph.ts';
import { CodeThreadHandle, type Pending } from './code-thread-handle.ts';

/** Threads that stay when nobody uses them. */
const threadsMax = 16;
const pendingMax = 10_000;
const refusedMax = 1_000;

interface Lane {
  readonly hash: string;
  readonly memoryMb: number;
  thread: Promise<CodeThreadHandle> | undefined;
  pending: number;
  /** Calls of a lost thread, to be run alone one after the other. */
  suspects: { readonly pending: Pending; readonly reason: MillraceError }[];
  trying: boolean;
}

export class CodeThreads {
  readonly #blobs: BlobStore;
  #files: Promise<StepFiles> | undefined;
  /** By bundle and memory; the newest used is last. */
  readonly #lanes = new Map<string, Lane>();
  /** Bundles that cannot be loaded; the same bytes never will. */
  readonly #refused = new Map<string, MillraceError>();
  #closed = false;

  constructor(blobs: BlobStore) {
    this.#blobs = blobs;
  }

  /** Rejects with TIMEOUT, TOO_LARGE (memory), USER_CODE_FAILED, UNAVAILABLE (too many wait), or why the bundle cannot be loaded. */
  async run(call: CodeCall): Promise<CodeAnswer> {
    const lane = this.#lane(call.code.hash, call.memoryMb);
    if (lane.pending >= pendingMax) {
      throw new MillraceError('UNAVAILABLE', `${lane.pending} calls of its code are under way already: try again`);
    }
    lane.pending += 1;
    try {
      const thread = await this.#thread(lane);
      return await new Promise<CodeAnswer>((resolve, reject) => {
        thread.begin({ call, resolve, reject });
      });
    } finally {
      lane.pending -= 1;
    }
  }

  /** Loads the bundle. Rejects with why it cannot be, or that it lacks the function. */
  async warm(code: CodePin, memoryMb: number): Promise<void> {
    const thread = await this.#thread(this.#lane(code.hash, memoryMb));
    const functions = await thread.loaded;
    if (!functions.includes(code.function)) throw lacksFunction(code.function, functions);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const lanes = [...this.#lanes.values()];
    this.#lanes.clear();
    await Promise.all(lanes.map(async ({ thread }) => (await thread?.catch(() => undefined))?.close()));
    await (await this.#files)?.close();
  }

  #lane(hash: string, memoryMb: number): Lane {
    const key = `${hash}/${memoryMb}`;
    const lane = this.#lanes.get(key) ?? { hash, memoryMb, thread: undefined, pending: 0, suspects: [], trying: false };
    this.#lanes.delete(key);
    this.#lanes.set(key, lane);
    for (const [oldest, idle] of this.#lanes) {
      if (this.#lanes.size <= threadsMax) break;
      if (idle.pending > 0 || oldest === key) continue;
      this.#lanes.delete(oldest);
      void idle.thread?.then((thread) => thread.close()).catch(() => undefined);
    }
    return lane;
  }

  #thread(lane: Lane): Promise<CodeThreadHandle> {
    if (lane.thread !== undefined) return lane.thread;
    const forget = (): void => {
      if (lane.thread === starting) lane.thread = undefined;
    };
    const starting = this.#start(lane, (pending, reason) => {
      forget();
      this.#suspect(lane, pending, reason);
    });
    lane.thread = starting;
    starting.catch(forget);
    return starting;
  }

  async #start(
    { hash, memoryMb }: Lane,
    lost: (pending: readonly Pending[], reason: MillraceError) => void,
  ): Promise<CodeThreadHandle> {
    if (this.#closed) throw new MillraceError('CLOSED', 'the model server was closed');
    const refused = this.#refused.get(hash);
    if (refused !== undefined) throw refused;
    this.#files ??= StepFiles.open(join(tmpdir(), 'millrace-code'), this.#blobs);
    const bundle = await (await this.#files).bundle(hash);
    const handle = new CodeThreadHandle({ bundle, memoryMb, lost: (_, pending, reason) => lost(pending, reason) });
    try {
      await handle.loaded;
    } catch (error) {
      await handle.close();
      if (hasCode(error, 'INVALID_ARGUMENT')) this.#refuse(hash, error);
      throw error;
    }
    return handle;
  }

  #refuse(hash: string, error: MillraceError): void {
    if (this.#refused.size >= refusedMax) this.#refused.clear();
    this.#refused.set(hash, error);
  }

  #suspect(lane: Lane, pending: readonly Pending[], reason: MillraceError): void {
    if (pending.length === 1) {
      pending[0]?.reject(reason);
      return;
    }
    lane.suspects.push(...pending.map((call) => ({ pending: call, reason })));
    if (!lane.trying) void this.#tryApart(lane);
  }

  async #tryApart(lane: Lane): Promise<void> {
    lane.trying = true;
    let thread: CodeThreadHandle | undefined;
    for (let next = lane.suspects.shift(); next !== undefined; next = lane.suspects.shift()) {
      const { pending } = next;
      try {
        if (thread === undefined || thread.gone) {
          thread = await this.#start(lane, (calls, reason) => {
            for (const call of calls) call.reject(reason);
          });
        }
        const alone = thread;
        pending.resolve(
          await new Promise<CodeAnswer>((resolve, reject) => {
            alone.begin({ call: pending.call, resolve, reject });
          }),
        );
      } catch (error) {
        pending.reject(error);
      }
    }
    lane.trying = false;
    await thread?.close();
  }
}
