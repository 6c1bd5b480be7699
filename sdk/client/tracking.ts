/** Tracked runs and experiments: of MLflow's clients, of `startRun`, and of flows, which are runs like all others. */
import type { MlflowPair, MlflowRun } from '../../schemas/api/mlflow.ts';
import { type HttpCaller, path, query } from './http-caller.ts';

export interface Experiment {
  readonly experimentId: string;
  readonly name: string;
  readonly artifactLocation: string;
  /** active or deleted. */
  readonly lifecycle: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly tags: Readonly<Record<string, string>>;
}

export interface TrackedRun {
  readonly runId: string;
  readonly name: string;
  readonly experimentId: string;
  readonly user: string;
  /** RUNNING, SCHEDULED, FINISHED, FAILED or KILLED. */
  readonly status: string;
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly lifecycle: string;
  readonly artifactUri: string;
  /** The latest value of each. NaN where a value is none. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly params: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
  readonly datasets: readonly { readonly name: string; readonly digest: string }[];
}

export interface MetricPoint {
  readonly value: number;
  readonly step: number;
  readonly timestamp: number;
}

export interface RunSearch {
  /** Names or ids. @default all */
  readonly experiments?: readonly string[] | undefined;
  /** Such as `metrics.rmse < 0.8 AND params.depth = '6'`: docs/tracking.md. */
  readonly filter?: string | undefined;
  /** Such as `metrics.rmse ASC`. @default newest first */
  readonly orderBy?: readonly string[] | undefined;
  /** @default 100 */
  readonly limit?: number | undefined;
  /** Of the page before. */
  readonly pageToken?: string | undefined;
  /** @default ACTIVE_ONLY */
  readonly view?: ViewType | undefined;
}

export type ViewType = 'ACTIVE_ONLY' | 'DELETED_ONLY' | 'ALL';

export interface ArtifactEntry {
  readonly path: string;
  readonly isFolder: boolean;
  readonly sizeBytes: number | null;
}

const api = '/api/2.0/mlflow';
const pageOfExperiments = 1_000;

export class TrackingCalls {
  readonly #caller: HttpCaller;

  constructor(caller: HttpCaller) {
    this.#caller = caller;
  }

  /** All that fit, page by page. */
  async experiments(
    options: { readonly filter?: string; readonly view?: ViewType } = {},
  ): Promise<readonly Experiment[]> {
    const { filter, view: view_type } = options;
    const all: Experiment[] = [];
    for (let page_token: string | undefined; ; ) {
      const body = { filter, view_type, page_token, max_results: pageOfExperiments };
      const answer = (await this.#post('experiments/search', body)) as ExperimentsAnswer;
      all.push(...(answer.experiments ?? []).map(experimentOf));
      page_token = answer.next_page_token;
      if (page_token === undefined) return all;
    }
  }

  /** By name, else by id. NOT_FOUND when there is none. */
  async experiment(nameOrId: string): Promise<Experiment> {
    const { experiment } = (await this.#get(`experiments/get-by-name${query({ experiment_name: nameOrId })}`).catch(
      async (error: unknown) => {
        if (!/^[\w-]{1,64}$/.test(nameOrId)) throw error;
        return await this.#get(`experiments/get${query({ experiment_id: nameOrId })}`);
      },
    )) as { experiment: RawExperiment };
    return experimentOf(experiment);
  }

  async createExperiment(name: string, tags: Readonly<Record<string, string>> = {}): Promise<{ experimentId: string }> {
    const answer = await this.#post('experiments/create', { name, tags: pairs(tags) });
    return { experimentId: (answer as { experiment_id: string }).experiment_id };
  }

  async renameExperiment(experiment_id: string, new_name: string): Promise<void> {
    await this.#post('experiments/update', { experiment_id, new_name });
  }

  /** With its runs; {@link restoreExperiment} brings it back. */
  async deleteExperiment(experiment_id: string): Promise<void> {
    await this.#post('experiments/delete', { experiment_id });
  }

  async restoreExperiment(experiment_id: string): Promise<void> {
    await this.#post('experiments/restore', { experiment_id });
  }

  async tagExperiment(experiment_id: string, key: string, value: string): Promise<void> {
    await this.#post('experiments/set-experiment-tag', { experiment_id, key, value });
  }

  /** A page of runs; `next` is the token of the next one, null on the last. */
  async search(
    search: RunSearch = {},
  ): Promise<{ readonly runs: readonly TrackedRun[]; readonly next: string | null }> {
    const { filter, orderBy: order_by, limit = 100, pageToken: page_token, view: run_view_type } = search;
    const experiment_ids =
      search.experiments === undefined
        ? (await this.experiments()).map(({ experimentId }) => experimentId)
        : await Promise.all(search.experiments.map(async (name) => (await this.experiment(name)).experimentId));
    const body = { experiment_ids, filter, order_by, max_results: limit, page_token, run_view_type };
    const answer = (await this.#post('runs/search', body)) as {
      readonly runs?: readonly MlflowRun[];
      readonly next_page_token?: string;
    };
    return { runs: (answer.runs ?? []).map(runOf), next: answer.next_page_token ?? null };
  }

  async run(runId: string): Promise<TrackedRun> {
    return runOf(((await this.#get(`runs/get${query({ run_id: runId })}`)) as { run: MlflowRun }).run);
  }

  /** Hides a run; {@link restoreRun} brings it back. */
  async deleteRun(run_id: string): Promise<void> {
    await this.#post('runs/delete', { run_id });
  }

  async restoreRun(run_id: string): Promise<void> {
    await this.#post('runs/restore', { run_id });
  }

  async tagRun(run_id: string, key: string, value: string): Promise<void> {
    await this.#post('runs/set-tag', { run_id, key, value });
  }

  /** Every point of a metric by time, page by page: no more than a page is in memory. */
  async *history(runId: string, metric: string): AsyncGenerator<MetricPoint> {
    for (let page_token: string | undefined; ; ) {
      const asked = query({ run_id: runId, metric_key: metric, max_results: 25_000, page_token });
      const answer = (await this.#get(`metrics/get-history${asked}`)) as {
        readonly metrics?: readonly RawMetric[];
        readonly next_page_token?: string;
      };
      for (const { value, step, timestamp } of answer.metrics ?? []) yield { value: Number(value), step, timestamp };
      page_token = answer.next_page_token;
      if (page_token === undefined) return;
    }
  }

  /** Points for a chart, evenly over the steps of each run. */
  async chart(
    runIds: readonly string[],
    metric: string,
    points = 500,
  ): Promise<ReadonlyMap<string, readonly MetricPoint[]>> {
    const asked = new URLSearchParams([
      ...runIds.map((id) => ['run_ids', id] as [string, string]),
      ['metric_key', metric],
      ['max_results', String(points)],
    ]);
    const { metrics = [] } = (await this.#get(`metrics/get-history-bulk-interval?${asked}`)) as {
      readonly metrics?: readonly (RawMetric & { readonly run_id: string })[];
    };
    const byRun = new Map<string, MetricPoint[]>(runIds.map((id) => [id, []]));
    for (const { run_id, value, step, timestamp } of metrics) {
      byRun.get(run_id)?.push({ value: Number(value), step, timestamp });
    }
    return byRun;
  }

  /** What lies directly in a folder of a run's files. @param folder @default their root */
  async artifacts(runId: string, folder = ''): Promise<readonly ArtifactEntry[]> {
    const { files = [] } = (await this.#get(`artifacts/list${query({ run_id: runId, path: folder })}`)) as {
      readonly files?: readonly { readonly path: string; readonly is_dir: boolean; readonly file_size?: number }[];
    };
    return files.map((file) => ({ path: file.path, isFolder: file.is_dir, sizeBytes: file.file_size ?? null }));
  }

  /** Bytes of one file of a run. */
  async artifact(runId: string, file: string): Promise<Uint8Array> {
    const { artifactUri } = await this.run(runId);
    const root = artifactUri.replace(/^mlflow-artifacts:\//, '');
    const where = [...root.split('/'), ...file.split('/')].map((part) => path`${part}`).join('/');
    return await this.#caller.bytes({ method: 'GET', path: `/api/2.0/mlflow-artifacts/artifacts/${where}` });
  }

  async #get(rest: string): Promise<unknown> {
    return await this.#caller.call({ method: 'GET', path: `${api}/${rest}` });
  }

  async #post(rest: string, body: object): Promise<unknown> {
    return await this.#caller.call({ method: 'POST', path: `${api}/${rest}`, body });
  }
}

interface RawMetric {
  readonly key: string;
  readonly value: number | string;
  readonly step: number;
  readonly timestamp: number;
}

interface RawExperiment {
  readonly experiment_id: string;
  readonly name: string;
  readonly artifact_location: string;
  readonly lifecycle_stage: string;
  readonly creation_time: number;
  readonly last_update_time: number;
  readonly tags?: readonly MlflowPair[];
}

interface ExperimentsAnswer {
  readonly experiments?: readonly RawExperiment[];
  readonly next_page_token?: string;
}

function experimentOf(raw: RawExperiment): Experiment {
  return {
    experimentId: raw.experiment_id,
    name: raw.name,
    artifactLocation: raw.artifact_location,
    lifecycle: raw.lifecycle_stage,
    createdAt: raw.creation_time,
    updatedAt: raw.last_update_time,
    tags: record(raw.tags),
  };
}

function runOf({ info, data = {}, inputs = {} }: MlflowRun): TrackedRun {
  return {
    runId: info.run_id,
    name: info.run_name ?? '',
    experimentId: info.experiment_id,
    user: info.user_id ?? '',
    status: info.status,
    startedAt: info.start_time,
    endedAt: info.end_time ?? null,
    lifecycle: info.lifecycle_stage,
    artifactUri: info.artifact_uri,
    metrics: Object.fromEntries((data.metrics ?? []).map(({ key, value }) => [key, Number(value)])),
    params: record(data.params),
    tags: record(data.tags),
    datasets: (inputs.dataset_inputs ?? []).map(({ dataset: { name, digest } }) => ({ name, digest })),
  };
}

function record(list: readonly MlflowPair[] = []): Readonly<Record<string, string>> {
  return Object.fromEntries(list.map(({ key, value }) => [key, value]));
}

function pairs(values: Readonly<Record<string, string>>): readonly MlflowPair[] {
  return Object.entries(values).map(([key, value]) => ({ key, value }));
}
