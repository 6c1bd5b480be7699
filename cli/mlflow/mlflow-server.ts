/** Reads and writes a server that speaks MLflow's REST API, 2.x or 3.x: this platform, or one that was there before. */
import { hash } from 'node:crypto';
import { hasCode, MillraceError } from '../../runtime/ports/errors.ts';
import { HttpCaller, path, query } from '../../sdk/client/http-caller.ts';
import type {
  MlflowExperiment,
  MlflowFile,
  MlflowLoggedModel,
  MlflowModel,
  MlflowPoint,
  MlflowRun,
  MlflowVersion,
} from '../../schemas/api/mlflow.ts';

const api = '/api/2.0/mlflow';
const retries = 5;

interface MlflowServerOptions {
  readonly url: string;
  /** Bearer token. */
  readonly token?: string | undefined;
  /** Of the call, milliseconds. @default 120000 */
  readonly timeoutMs?: number | undefined;
}

export class MlflowServer {
  readonly url: string;
  readonly #caller: HttpCaller;

  constructor({ url, token, timeoutMs = 120_000 }: MlflowServerOptions) {
    this.url = url.replace(/\/+$/, '');
    this.#caller = new HttpCaller({ url: this.url, timeoutMs, ...(token === undefined ? {} : { token }) });
  }

  async *experiments(): AsyncGenerator<MlflowExperiment> {
    yield* this.#pages<MlflowExperiment>('experiments', (page_token) =>
      this.post('experiments/search', { view_type: 'ALL', max_results: 1_000, page_token }),
    );
  }

  async *runs(experimentId: string, filter?: string): AsyncGenerator<MlflowRun> {
    yield* this.#pages<MlflowRun>('runs', (page_token) =>
      this.post('runs/search', {
        experiment_ids: [experimentId],
        run_view_type: 'ALL',
        max_results: 500,
        page_token,
        filter,
        order_by: ['attributes.start_time ASC'],
      }),
    );
  }

  async *history(runId: string, metric: string): AsyncGenerator<MlflowPoint> {
    yield* this.#pages<MlflowPoint>('metrics', (page_token) =>
      this.get(`metrics/get-history${query({ run_id: runId, metric_key: metric, max_results: 10_000, page_token })}`),
    );
  }

  /** None on servers of 2.x, which know none. */
  async *loggedModels(experimentId: string): AsyncGenerator<MlflowLoggedModel> {
    try {
      yield* this.#pages<MlflowLoggedModel>('models', (page_token) =>
        this.post('logged-models/search', { experiment_ids: [experimentId], max_results: 50, page_token }),
      );
    } catch (error) {
      const { status } = error instanceof MillraceError ? error.details : {};
      if (status !== 404 && status !== 405) throw error;
    }
  }

  async *models(): AsyncGenerator<MlflowModel> {
    yield* this.#pages<MlflowModel>('registered_models', (page_token) =>
      this.get(`registered-models/search${query({ max_results: 100, page_token })}`),
    );
  }

  async *versions(model: string): AsyncGenerator<MlflowVersion> {
    const filter = `name = '${model.replaceAll("'", "''")}'`;
    yield* this.#pages<MlflowVersion>('model_versions', (page_token) =>
      this.get(`model-versions/search${query({ filter, max_results: 1_000, page_token })}`),
    );
  }

  /** All files of a run, or of a logged model, by path. */
  async files(owner: { readonly runId: string } | { readonly modelId: string }): Promise<readonly MlflowFile[]> {
    const files: MlflowFile[] = [];
    const folders = [''];
    for (let folder = folders.shift(); folder !== undefined; folder = folders.shift()) {
      const asked =
        'runId' in owner
          ? `artifacts/list${query({ run_id: owner.runId, path: folder === '' ? undefined : folder })}`
          : `logged-models/${owner.modelId}/artifacts/directories${query({ artifact_directory_path: folder === '' ? undefined : folder })}`;
      for await (const file of this.#pages<MlflowFile>('files', () => this.get(asked))) {
        if (file.is_dir === true) folders.push(file.path);
        else files.push(file);
      }
    }
    return files.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** @param root the artifact URI of its run or logged model */
  async download(root: string, file: string, runId: string | undefined): Promise<Uint8Array> {
    const location = proxied(root);
    if (location !== undefined) {
      const target = `/api/2.0/mlflow-artifacts/artifacts/${encoded(`${location}/${file}`)}`;
      return await again(() => this.#caller.bytes({ method: 'GET', path: target }));
    }
    // Where the server itself reads the store, as its UI does.
    if (runId === undefined)
      throw new MillraceError('UNSUPPORTED', `its files lie at ${root}, which this server does not hand out`);
    const target = `/get-artifact${query({ run_uuid: runId, run_id: runId, path: file })}`;
    return await again(() => this.#caller.bytes({ method: 'GET', path: target }));
  }

  async upload(root: string, file: string, content: Uint8Array): Promise<void> {
    const location = proxied(root);
    if (location === undefined)
      throw new MillraceError('UNSUPPORTED', `files go to ${root}, which is not a place of the server itself`);
    const headers = { 'content-type': 'application/octet-stream' };
    const target = `/api/2.0/mlflow-artifacts/artifacts/${encoded(`${location}/${file}`)}`;
    await again(() => this.#caller.call({ method: 'PUT', path: target, body: content, headers }));
  }

  async get(rest: string): Promise<unknown> {
    return await again(() => this.#caller.call({ method: 'GET', path: `${api}/${rest}` }));
  }

  async post(rest: string, body: object, key?: string): Promise<unknown> {
    return await this.call('POST', `${api}/${rest}`, body, key);
  }

  async call(method: 'POST' | 'PATCH', target: string, body: object, key?: string): Promise<unknown> {
    const headers = key === undefined ? {} : { 'idempotency-key': key };
    return await again(() => this.#caller.call({ method, path: target, body, headers }));
  }

  async *#pages<T>(name: string, page: (token: string | undefined) => Promise<unknown>): AsyncGenerator<T> {
    for (let token: string | undefined; ; ) {
      const answer = (await page(token)) as Readonly<Record<string, unknown>>;
      yield* (answer[name] ?? []) as readonly T[];
      token = answer['next_page_token'] as string | undefined;
      if (token === undefined || token === '') return;
    }
  }
}

/** The place behind `mlflow-artifacts:`, with or without a host; undefined for every other store. */
function proxied(root: string): string | undefined {
  return /^mlflow-artifacts:(?:\/\/[^/]+)?\/(?!\/)(.+?)\/?$/.exec(root)?.[1];
}

function encoded(location: string): string {
  return location
    .split('/')
    .map((part) => path`${part}`)
    .join('/');
}

/** A busy server is asked again, with growing waits. */
async function again<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      const status = error instanceof MillraceError ? error.details['status'] : undefined;
      const later =
        hasCode(error, 'UNAVAILABLE', 'TIMEOUT') || (typeof status === 'number' && (status >= 500 || status === 429));
      if (!later || attempt >= retries) throw error;
      await new Promise<void>((resolve) => setTimeout(resolve, 200 * 2 ** attempt));
    }
  }
}

export function digestOf(value: unknown): string {
  return hash('sha256', JSON.stringify(value), 'hex').slice(0, 32);
}
