import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { autologRecord } from './autolog.ts';
import type { RunLogger } from './run-logger.ts';
import { attachRun } from './start-run.ts';

/** What a step logs to its run, at once and for everybody to see, whatever becomes of the attempt. */
export type StepTracking = Pick<
  RunLogger,
  | 'metric'
  | 'metrics'
  | 'param'
  | 'params'
  | 'tag'
  | 'artifact'
  | 'dataset'
  | 'histogram'
  | 'confusionMatrix'
  | 'curves'
  | 'systemMetrics'
  | 'autolog'
>;

const endMs = 30_000;

/** Made when the step first uses it. Without a tracking server nothing is kept, which the log of the step says once. */
export class TrackingOfStep {
  readonly #runId: string;
  #logger: RunLogger | undefined;
  #told = false;

  constructor(runId: string) {
    this.#runId = runId;
  }

  get tracking(): StepTracking {
    const url = process.env['MLFLOW_TRACKING_URI'];
    if (url === undefined) return this.#nowhere();
    this.#logger ??= attachRun(this.#runId, {
      url,
      spool: join(tmpdir(), 'millrace-spool'),
      warn: (message) => console.warn(message),
    });
    return this.#logger;
  }

  /** Resolves when the server has all, or has been away for half a minute. */
  async end(): Promise<void> {
    await this.#logger?.close(endMs);
  }

  #nowhere(): StepTracking {
    if (!this.#told) console.warn('tracking: no tracking server is known here: what the step logs is not kept');
    this.#told = true;
    const nothing = (): void => undefined;
    return {
      metric: nothing,
      metrics: nothing,
      param: nothing,
      params: nothing,
      tag: nothing,
      artifact: nothing,
      dataset: nothing,
      histogram: nothing,
      confusionMatrix: nothing,
      curves: nothing,
      systemMetrics: nothing,
      autolog: (model, options) => autologRecord(model, options).metrics,
    };
  }
}
