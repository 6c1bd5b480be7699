/**
 * Logs to a tracked run. Nothing here blocks or breaks training: each call appends to the run's spool and answers; a loop sends it in order,
 * and tries again while the server is away. What was not sent when the program ends is sent by `millrace runs sync`, or by the next program.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../runtime/ports/errors.ts';
import { autologRecord, type AutologOptions, type TrainedModel } from './autolog.ts';
import { confusionOf, confusionSvg, type Curve, curvesSvg, histogramOf, histogramSvg } from './figures.ts';
import type { Spool, SpooledMetric, SpooledPair, SpoolEntry } from './spool.ts';
import { SystemSampler } from './surroundings.ts';
import type { TrackingServer } from './tracking-server.ts';

export type Status = 'FINISHED' | 'FAILED' | 'KILLED';

export interface DatasetSource {
  readonly name: string;
  /** At most 36 characters: what tells one state of the data from another. */
  readonly digest: string;
  /** Where it came from. @default '' */
  readonly source?: string;
  /** What it was used for, such as `training`. @default '' */
  readonly context?: string;
}

/** Values are gathered for so long before they become one entry, milliseconds. */
const gatherMs = 100;
const gatherMax = 1_000;
const sampleEveryMs = 10_000;
const waitMinMs = 200;
const waitMaxMs = 30_000;

interface RunLoggerParts {
  readonly spool: Spool;
  /** Not in the spool yet, because it could not be written. */
  readonly first?: SpoolEntry | undefined;
  readonly server: TrackingServer;
  readonly warn: (message: string) => void;
}

export class RunLogger {
  /** 32 hex characters. */
  readonly runId: string;
  readonly #spool: Spool;
  readonly #server: TrackingServer;
  readonly #warn: (message: string) => void;
  /** What must stand before everything else, while the disk has not taken it. */
  #first: SpoolEntry | undefined;
  #metrics: SpooledMetric[] = [];
  #params: SpooledPair[] = [];
  #tags: SpooledPair[] = [];
  #timer: NodeJS.Timeout | undefined;
  #sampling: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #warned = false;
  /** While the server is away it is asked less and less often. */
  #notBefore = 0;
  #waitMs = waitMinMs;

  constructor(runId: string, { spool, first, server, warn }: RunLoggerParts) {
    this.runId = runId;
    this.#spool = spool;
    this.#first = first;
    this.#server = server;
    this.#warn = warn;
  }

  /** One value of a metric. @param step @default 0 */
  metric(key: string, value: number, step = 0): void {
    this.#metrics.push({ key, value: jsonNumber(value), timestamp: Date.now(), step });
    this.#gathered();
  }

  metrics(values: Readonly<Record<string, number>>, step = 0): void {
    for (const [key, value] of Object.entries(values)) this.metric(key, value, step);
  }

  /** Has one value for ever: another one for the same key is refused by the server, and said as a warning. */
  param(key: string, value: string | number | boolean): void {
    this.#params.push({ key, value: String(value) });
    this.#gathered();
  }

  params(values: Readonly<Record<string, string | number | boolean>>): void {
    for (const [key, value] of Object.entries(values)) this.param(key, value);
  }

  tag(key: string, value: string): void {
    this.#tags.push({ key, value });
    this.#gathered();
  }

  /** Bytes, a text, or a copy of a file of this machine, at a relative path such as `plots/loss.svg`. */
  artifact(path: string, content: Uint8Array | string | { readonly file: string }): void {
    this.#gather();
    this.#keep(() => {
      if (typeof content === 'string') this.#spool.appendFile(path, Buffer.from(content));
      else if (content instanceof Uint8Array) this.#spool.appendFile(path, content);
      else this.#spool.appendFile(path, { copyOf: content.file });
    });
    this.#send();
  }

  /** Data that the run has read. */
  dataset({ name, digest, source = '', context = '' }: DatasetSource): void {
    this.#gather();
    const tags = context === '' ? [] : [{ key: 'mlflow.data.context', value: context }];
    const dataset = { name, digest, source_type: 'local', source: source === '' ? name : source };
    this.#keep(() => this.#spool.append({ type: 'dataset', dataset: { tags, dataset } }));
    this.#send();
  }

  /**
   * All of a trained model at once: parameters, quality on training and test rows, digests of the data, and the model as the folder `model`.
   * Answers the quality.
   */
  autolog(model: TrainedModel, options: AutologOptions): Readonly<Record<string, number>> {
    const { params, metrics, datasets, files } = autologRecord(model, options);
    this.params(params);
    this.metrics(metrics);
    for (const dataset of datasets) this.dataset(dataset);
    for (const [path, content] of Object.entries(files)) this.artifact(path, content);
    return metrics;
  }

  /** The distribution of values, as `histograms/<key>/<step>.json` with edges and counts, and as a picture. */
  histogram(key: string, values: readonly number[], step = 0): void {
    this.artifact(`histograms/${key}/${step}.json`, JSON.stringify(histogramOf(values)));
    this.artifact(`histograms/${key}/${step}.svg`, histogramSvg(`${key}, step ${step}`, values));
  }

  /** Rows are what was true: `figures/<name>.json` and a picture. */
  confusionMatrix(name: string, actual: readonly (string | number)[], predicted: readonly (string | number)[]): void {
    const matrix = confusionOf(actual, predicted);
    this.artifact(`figures/${name}.json`, JSON.stringify(matrix));
    this.artifact(`figures/${name}.svg`, confusionSvg(name, matrix.labels, matrix.counts));
  }

  /** Lines over common axes: `figures/<name>.json` and a picture. */
  curves(name: string, curves: readonly Curve[]): void {
    this.artifact(`figures/${name}.json`, JSON.stringify(curves));
    this.artifact(`figures/${name}.svg`, curvesSvg(name, curves));
  }

  /** From now on load and memory of this machine every ten seconds, by MLflow's names. */
  systemMetrics(everyMs = sampleEveryMs): void {
    if (this.#sampling !== undefined) return;
    const sampler = new SystemSampler();
    let step = 0;
    this.#sampling = setInterval(() => this.metrics(sampler.sample(), step++), everyMs);
    this.#sampling.unref();
  }

  /** Ends the run. Resolves like {@link flush}. */
  async end(status: Status = 'FINISHED', waitMs?: number): Promise<boolean> {
    this.#gather();
    this.#keep(() => this.#spool.append({ type: 'end', status, endTime: Date.now() }));
    return await this.close(waitMs);
  }

  /** The run stays as it is; nothing more is logged from here. Resolves like {@link flush}. */
  async close(waitMs?: number): Promise<boolean> {
    clearInterval(this.#sampling);
    const all = await this.flush(waitMs);
    if (all) {
      this.#spool.remove();
      return true;
    }
    this.#spool.letGo();
    const { folder, waits } = this.#spool;
    this.#warn(
      waits
        ? `run ${this.runId}: not all was sent; it waits in ${folder} for \`millrace runs sync\``
        : `run ${this.runId}: the server does not have all of it; what it refused is kept in ${folder}`,
    );
    return false;
  }

  /** Whether the server has everything that was logged until now: not when it refused a part for good. Waits no longer than this. @default 5000 */
  async flush(waitMs = 5_000): Promise<boolean> {
    this.#gather();
    const late = AbortSignal.timeout(waitMs);
    const isLate = aborted(late);
    while (this.#spool.waits && !late.aborted) {
      this.#notBefore = 0;
      this.#send();
      await Promise.race([this.#sending, isLate]);
      if (this.#spool.waits && !late.aborted) await delay(100);
    }
    return this.#first === undefined && !this.#spool.waits && !this.#spool.keeps;
  }

  #gathered(): void {
    if (this.#metrics.length + this.#params.length + this.#tags.length >= gatherMax) {
      this.#gather();
      this.#send();
      return;
    }
    this.#timer ??= setTimeout(() => {
      this.#gather();
      this.#send();
    }, gatherMs);
  }

  /** Makes one entry of what was logged. */
  #gather(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const [metrics, params, tags] = [this.#metrics, this.#params, this.#tags];
    if (metrics.length + params.length + tags.length === 0) return;
    [this.#metrics, this.#params, this.#tags] = [[], [], []];
    this.#keep(() => this.#spool.append({ type: 'values', metrics, params, tags }));
  }

  /** Training goes on when the disk is full. */
  #keep(append: () => void): void {
    try {
      if (this.#first !== undefined) this.#spool.begin(this.#first);
      this.#first = undefined;
      append();
    } catch (error) {
      this.#warn(`run ${this.runId}: something that it logs is lost: ${messageOf(error)}`);
    }
  }

  #send(): void {
    if (Date.now() < this.#notBefore) return;
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
  }

  async #sendAll(): Promise<void> {
    try {
      const { refused } = await this.#server.send(this.#spool);
      this.#notBefore = 0;
      this.#waitMs = waitMinMs;
      for (const reason of refused) this.#warn(`run ${this.runId}: the server refused a part of it: ${reason}`);
    } catch (error) {
      if (!this.#warned) this.#warn(`run ${this.runId}: what it logs waits on disk: ${messageOf(error)}`);
      this.#warned = true;
      this.#notBefore = Date.now() + this.#waitMs;
      this.#waitMs = Math.min(2 * this.#waitMs, waitMaxMs);
    }
  }
}

function jsonNumber(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
