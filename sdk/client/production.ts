import type { FlowAction, ShownFlow, SlotOutcome } from '../../schemas/api/flows.ts';
import { type HttpCaller, path, query } from './http-caller.ts';

/** A run, or that the start waits: the flow has a limit. */
export type StartedRun =
  | { readonly flow: string; readonly runId: string; readonly version: number; readonly queued?: undefined }
  | { readonly flow: string; readonly queued: true; readonly reason: string; readonly requestId: string };

/** `requestId` is the id of the cause of the run, or of that it goes on in place. */
export type ResumedRun = StartedRun & { readonly requestId: string; readonly originRunId: string };

export interface BackfillRange {
  /** First instant, ISO 8601; UTC unless it says otherwise. */
  readonly from: string;
  /** End, which is not in the range. */
  readonly to: string;
  /** @default the flow's only schedule */
  readonly schedule?: string;
  /** Only slots without a completed run. @default false */
  readonly missing?: boolean;
  /** Only tell the slots. @default false */
  readonly dryRun?: boolean;
}

export interface Backfill {
  readonly flow: string;
  readonly schedule: string;
  readonly slots: readonly { readonly atMs: number; readonly local: string }[];
  /** Slots with a completed run that were left out. */
  readonly skipped: number;
  readonly dryRun: boolean;
  readonly started: number;
  readonly queued: number;
  readonly refused: number;
}

export interface StartOptions {
  readonly tags?: readonly string[] | undefined;
  readonly idempotencyKey?: string | undefined;
  /** Memoised steps run, whatever is remembered; what they do is kept. @default false */
  readonly refresh?: boolean | undefined;
}

/** Flows in production. */
export class ProductionCalls {
  readonly #caller: HttpCaller;

  constructor(caller: HttpCaller) {
    this.#caller = caller;
  }

  async list(): Promise<readonly ShownFlow[]> {
    return ((await this.#get('/api/v1/flows')) as { flows: ShownFlow[] }).flows;
  }

  async show(flow: string): Promise<ShownFlow> {
    return (await this.#get(path`/api/v1/flows/${flow}`)) as ShownFlow;
  }

  /** Starts the deployed version. CONFLICT when the flow's limit says that it is skipped. */
  async start(flow: string, parameters: object = {}, options: StartOptions = {}): Promise<StartedRun> {
    const { idempotencyKey, tags = [], refresh = false } = options;
    return (await this.#post('/api/v1/runs', { flow, parameters, tags, refresh }, idempotencyKey)) as StartedRun;
  }

  /** Schedules, events and ends of other flows start nothing until it is resumed; people may. */
  async pause(flow: string, reason = ''): Promise<void> {
    await this.#post(path`/api/v1/flows/${flow}/pause`, { reason });
  }

  async resume(flow: string, reason = ''): Promise<void> {
    await this.#post(path`/api/v1/flows/${flow}/resume`, { reason });
  }

  /** Asks all open runs to stop, and withdraws the starts that wait. */
  async terminate(flow: string, reason = ''): Promise<{ readonly runs: number; readonly withdrawn: number }> {
    return (await this.#post(path`/api/v1/flows/${flow}/terminate`, { reason })) as { runs: number; withdrawn: number };
  }

  /** It is deployed no longer; its runs go on, and stay. */
  async remove(flow: string): Promise<void> {
    await this.#caller.call({ method: 'DELETE', path: path`/api/v1/flows/${flow}` });
  }

  /** Runs the slots of a schedule over a range, whatever became of them before. */
  async backfill(
    flow: string,
    range: BackfillRange,
    options: { readonly idempotencyKey?: string } = {},
  ): Promise<Backfill> {
    return (await this.#post(path`/api/v1/flows/${flow}/backfill`, range, options.idempotencyKey)) as Backfill;
  }

  /** Newest first. */
  async history(flow: string, limit = 50): Promise<readonly FlowAction[]> {
    const answer = await this.#get(`${path`/api/v1/flows/${flow}/history`}${query({ limit })}`);
    return (answer as { history: FlowAction[] }).history;
  }

  /** Newest first. */
  async slots(flow: string, limit = 50): Promise<readonly SlotOutcome[]> {
    const answer = await this.#get(`${path`/api/v1/flows/${flow}/slots`}${query({ limit })}`);
    return (answer as { slots: SlotOutcome[] }).slots;
  }

  async #get(url: string): Promise<unknown> {
    return await this.#caller.call({ method: 'GET', path: url });
  }

  async #post(url: string, body: unknown, idempotencyKey?: string): Promise<unknown> {
    const headers = { 'content-type': 'application/json', 'idempotency-key': idempotencyKey };
    return await this.#caller.call({ method: 'POST', path: url, body, headers });
  }
}
