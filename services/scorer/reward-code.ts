/**
 * Runs reward functions, each bundle in a thread of its own. Cases go together; when they block or kill the thread, each is run again
 * alone, so that only the guilty ones fail.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { moduleForChild } from '../../runtime/adapters/child-module.ts';
import { StepFiles } from '../../runtime/adapters/process-executor/step-files.ts';
import type { BlobStore } from '../../runtime/ports/blob-store.ts';
import { type ErrorCode, hasCode, MillraceError } from '../../runtime/ports/errors.ts';
import type { RewardCase, RewardFunction } from '../../schemas/deployment-document.ts';
import type { RewardAnswer, RewardTask } from './reward-thread.ts';
import { WorkerPool } from './worker-pool.ts';

export type Rewarded = { readonly reward: number } | { readonly code: ErrorCode; readonly reason: string };

/** Loading a bundle is not the function's time. */
const loadTimeoutMs = 30_000;
const togetherTimeoutMsMax = 10_000;
/** So many threads lost in a row, and the rest of the batch is not tried. */
const lostMax = 3;
const lanesMax = 8;

interface Lane {
  readonly pool: WorkerPool<RewardTask, readonly RewardAnswer[]>;
  loaded: boolean;
  /** One batch at a time. */
  busy: Promise<unknown>;
  waiting: number;
}

export class RewardCode {
  readonly #blobs: BlobStore;
  #files: Promise<StepFiles> | undefined;
  /** By bundle and memory; the newest used is last. */
  readonly #lanes = new Map<string, Lane>();

  constructor(blobs: BlobStore) {
    this.#blobs = blobs;
  }

  /** One outcome a case, in their order. Rejects with what may be better later: UNAVAILABLE, CLOSED. */
  async run(how: RewardFunction, cases: readonly RewardCase[]): Promise<readonly Rewarded[]> {
    const lane = this.#lane(how);
    lane.waiting += 1;
    const work = lane.busy.then(() => this.#batch(lane, how, cases));
    lane.busy = work.catch(() => undefined);
    try {
      return await work;
    } catch (error) {
      const failed = failureOf(error);
      return cases.map(() => failed);
    } finally {
      lane.waiting -= 1;
    }
  }

  async close(): Promise<void> {
    const lanes = [...this.#lanes.values()];
    this.#lanes.clear();
    await Promise.all(lanes.map(({ pool }) => pool.close()));
    await (await this.#files)?.close();
  }

  async #batch(lane: Lane, how: RewardFunction, cases: readonly RewardCase[]): Promise<readonly Rewarded[]> {
    const { code, timeoutMs } = how;
    this.#files ??= StepFiles.open(join(tmpdir(), 'millrace-rewards'), this.#blobs);
    const bundle = await (await this.#files).bundle(code.hash);
    const call = async (some: readonly RewardCase[], limitMs: number): Promise<readonly Rewarded[]> => {
      const task = { bundle, function: code.function };
      if (!lane.loaded) await lane.pool.run({ ...task, cases: [] }, loadTimeoutMs);
      // until it has answered, the thread may be lost
      lane.loaded = false;
      const answers = await lane.pool.run({ ...task, cases: some }, limitMs);
      lane.loaded = true;
      return answers.map((answer) =>
        'reward' in answer ? answer : { code: 'USER_CODE_FAILED', reason: answer.failed },
      );
    };
    try {
      return await call(cases, Math.min(togetherTimeoutMsMax, timeoutMs * cases.length));
    } catch (error) {
      if (cases.length === 1 || !hasCode(error, 'TIMEOUT', 'TOO_LARGE', 'USER_CODE_FAILED')) throw error;
    }
    return await apart(cases, (one) => call([one], timeoutMs));
  }

  #lane({ code, memoryMb }: RewardFunction): Lane {
    const key = `${code.hash}/${memoryMb}`;
    const lane = this.#lanes.get(key) ?? newLane(memoryMb);
    this.#lanes.delete(key);
    this.#lanes.set(key, lane);
    for (const [oldest, idle] of this.#lanes) {
      if (this.#lanes.size <= lanesMax) break;
      if (idle.waiting > 0 || oldest === key) continue;
      this.#lanes.delete(oldest);
      void idle.pool.close();
    }
    return lane;
  }
}

function newLane(memoryMb: number): Lane {
  const module = moduleForChild('services/scorer/reward-thread');
  const pool = new WorkerPool<RewardTask, readonly RewardAnswer[]>({
    ...{ module, memoryMb, workers: 1, timeoutMs: loadTimeoutMs, waitingMax: 1_000 },
  });
  return { pool, loaded: false, busy: Promise.resolve(), waiting: 0 };
}

async function apart(
  cases: readonly RewardCase[],
  call: (one: RewardCase) => Promise<readonly Rewarded[]>,
): Promise<readonly Rewarded[]> {
  const outcomes: Rewarded[] = [];
  let lost = 0;
  for (const one of cases) {
    if (lost >= lostMax) {
      const reason = `not tried: the reward function was stopped for ${lost} predictions in a row`;
      outcomes.push({ code: 'USER_CODE_FAILED', reason });
      continue;
    }
    try {
      outcomes.push(...(await call(one)));
      lost = 0;
    } catch (error) {
      outcomes.push(failureOf(error));
      lost += 1;
    }
  }
  return outcomes;
}

/** What may be better later is thrown. */
function failureOf(error: unknown): Rewarded {
  if (!(error instanceof MillraceError) || ['UNAVAILABLE', 'CLOSED'].includes(error.code)) throw error;
  return { code: error.code, reason: `the reward function failed: ${error.message}` };
}
