/** The calls of MLflow's REST API that logging needs: of Millrace, or of any server that speaks it. */
import { hasCode, MillraceError, messageOf } from '../../runtime/ports/errors.ts';
import { type ConnectOptions, HttpCaller } from '../client/http-caller.ts';
import type { Spool, SpoolEntry } from './spool.ts';

const batch = { metrics: 800, others: 100 };

type Values = Extract<SpoolEntry, { type: 'values' }>;

interface Refused {
  readonly entry: SpoolEntry;
  readonly reason: string;
}

export class TrackingServer {
  readonly #caller: HttpCaller;
  readonly #experiments = new Map<string, string>();

  constructor(options: ConnectOptions) {
    this.#caller = new HttpCaller(options);
  }

  /**
   * Sends what a run has not sent yet, in order. Rejects when the server is away; what was acknowledged is not sent again. What the server
   * refuses for good is set aside with its reason.
   */
  async send(spool: Spool): Promise<{ readonly sent: number; readonly refused: readonly string[] }> {
    let sent = 0;
    const refused: string[] = [];
    for (const { entry, behind } of spool.unsent()) {
      try {
        const rest = await this.#sendEntry(spool, entry);
        for (const one of rest) spool.refuse(one.entry, one.reason);
        refused.push(...rest.map(({ reason }) => reason));
        if (rest.length === 0) sent += 1;
      } catch (error) {
        // Without its run nothing of it can be sent.
        if (isLater(error) || entry.type === 'begin') throw error;
        spool.refuse(entry, messageOf(error));
        refused.push(messageOf(error));
      }
      spool.sent(behind);
    }
    return { sent, refused };
  }

  /** Answers the parts that were refused; rejects where that is the whole. */
  async #sendEntry(spool: Spool, entry: SpoolEntry): Promise<readonly Refused[]> {
    const run_id = spool.runId ?? '';
    switch (entry.type) {
      case 'unreadable':
        throw new MillraceError('CORRUPT', 'a line of the spool was cut, and cannot be read');
      case 'attach':
        spool.runId = entry.runId;
        return [];
      case 'begin': {
        const experiment_id = await this.#experiment(entry.experiment);
        const answer = await this.#call('POST', 'runs/create', { ...entry.run, experiment_id }, entry.key);
        spool.runId = (answer as { run: { info: { run_id: string } } }).run.info.run_id;
        return [];
      }
      case 'values':
        return await this.#values(run_id, entry);
      case 'file':
        await this.#upload(run_id, entry.path, spool.bytesOf(entry.file));
        return [];
      case 'dataset':
        await this.#call('POST', 'runs/log-inputs', { run_id, datasets: [entry.dataset] });
        return [];
      case 'end':
        await this.#call('POST', 'runs/update', { run_id, status: entry.status, end_time: entry.endTime });
        return [];
    }
  }

  async #values(run_id: string, { metrics, params, tags }: Values): Promise<readonly Refused[]> {
    const rounds = Math.max(
      Math.ceil(metrics.length / batch.metrics),
      Math.ceil(params.length / batch.others),
      Math.ceil(tags.length / batch.others),
    );
    const part = <T>(list: readonly T[], round: number, size: number): readonly T[] =>
      list.slice(round * size, (round + 1) * size);
    const refused: Refused[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const values: Values = {
        type: 'values',
        metrics: part(metrics, round, batch.metrics),
        params: part(params, round, batch.others),
        tags: part(tags, round, batch.others),
      };
      refused.push(...(await this.#batch(run_id, values)));
    }
    return refused;
  }

  /** A batch is taken or refused as one: metrics, parameters and tags of one that is refused go apart, so that each kind suffers for itself. */
  async #batch(run_id: string, entry: Values): Promise<readonly Refused[]> {
    const { metrics, params, tags } = entry;
    try {
      await this.#call('POST', 'runs/log-batch', { run_id, metrics, params, tags });
      return [];
    } catch (error) {
      if (isLater(error)) throw error;
      const none: Values = { type: 'values', metrics: [], params: [], tags: [] };
      const kinds = [{ metrics }, { params }, { tags }].filter((kind) => Object.values(kind).flat().length > 0);
      if (kinds.length < 2) return [{ entry, reason: messageOf(error) }];
      const refused: Refused[] = [];
      for (const kind of kinds) refused.push(...(await this.#batch(run_id, { ...none, ...kind })));
      return refused;
    }
  }

  async #experiment(name: string): Promise<string> {
    const known = this.#experiments.get(name);
    if (known !== undefined) return known;
    const id = name === '' ? '0' : ((await this.#experimentByName(name)) ?? (await this.#newExperiment(name)));
    this.#experiments.set(name, id);
    return id;
  }

  async #experimentByName(name: string): Promise<string | undefined> {
    try {
      const path = `experiments/get-by-name?${new URLSearchParams({ experiment_name: name })}`;
      const { experiment } = (await this.#call('GET', path)) as { experiment: { experiment_id: string } };
      return experiment.experiment_id;
    } catch (error) {
      if (hasCode(error, 'NOT_FOUND')) return undefined;
      throw error;
    }
  }

  async #newExperiment(name: string): Promise<string> {
    try {
      const { experiment_id } = (await this.#call('POST', 'experiments/create', { name })) as { experiment_id: string };
      return experiment_id;
    } catch (error) {
      // Somebody else was first.
      const id = await this.#experimentByName(name);
      if (id === undefined) throw error;
      return id;
    }
  }

  async #upload(runId: string, path: string, bytes: Uint8Array): Promise<void> {
    const { run } = (await this.#call('GET', `runs/get?run_id=${runId}`)) as {
      run: { info: { artifact_uri: string } };
    };
    const root = /^mlflow-artifacts:\/(?:\/[^/]+\/)?(.+)$/.exec(run.info.artifact_uri)?.[1];
    if (root === undefined) {
      throw new MillraceError(
        'UNSUPPORTED',
        `run ${runId} keeps its files at ${run.info.artifact_uri}: only a server that takes them itself (mlflow-artifacts:/) gets files from here`,
      );
    }
    const where = [...root.split('/'), ...path.split('/')].map(encodeURIComponent).join('/');
    const headers = { 'content-type': 'application/octet-stream' };
    const target = `/api/2.0/mlflow-artifacts/artifacts/${where}`;
    await this.#caller.call({ method: 'PUT', path: target, body: bytes, headers });
  }

  async #call(method: 'GET' | 'POST', path: string, body?: object, key?: string): Promise<unknown> {
    const headers = key === undefined ? {} : { 'idempotency-key': key };
    return await this.#caller.call({ method, path: `/api/2.0/mlflow/${path}`, body, headers });
  }
}

/** Whether the same call may be answered later: the server is away, or busy. */
export function isLater(error: unknown): boolean {
  if (!(error instanceof MillraceError)) return false;
  const { status } = error.details;
  if (typeof status !== 'number') return hasCode(error, 'UNAVAILABLE', 'TIMEOUT');
  return status >= 500 || status === 408 || status === 429;
}
