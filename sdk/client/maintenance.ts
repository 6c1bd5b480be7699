import type { Finding, OperationSummary } from '../../schemas/api/findings.ts';
import type { HttpCaller } from './http-caller.ts';
import { query } from './http-caller.ts';

export interface DeadLetter {
  readonly id: string;
  readonly task: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly code: string;
  readonly message: string;
  readonly at: number;
}

export interface TaskSummary {
  readonly task: string;
  readonly position: number;
  readonly endOffset: number;
  readonly status: string;
  readonly counters: Readonly<Record<string, number>>;
}

/** Looking after the platform. */
export class MaintenanceCalls {
  readonly #caller: HttpCaller;

  constructor(caller: HttpCaller) {
    this.#caller = caller;
  }

  async findings(filter: { deployment?: string; kind?: string; limit?: number } = {}): Promise<readonly Finding[]> {
    return ((await this.#get(`/api/v1/findings${query(filter)}`)) as { findings: Finding[] }).findings;
  }

  async operations(
    filter: { object?: string; actor?: string; limit?: number } = {},
  ): Promise<readonly OperationSummary[]> {
    return ((await this.#get(`/api/v1/operations${query(filter)}`)) as { operations: OperationSummary[] }).operations;
  }

  async deadLetters(): Promise<readonly DeadLetter[]> {
    return ((await this.#get('/api/v1/dead-letters')) as { deadLetters: DeadLetter[] }).deadLetters;
  }

  async replayDeadLetter(id: string): Promise<DeadLetter> {
    const body = { id };
    const headers = { 'content-type': 'application/json' };
    return (await this.#caller.call({
      method: 'POST',
      path: '/api/v1/dead-letters/replay',
      body,
      headers,
    })) as DeadLetter;
  }

  async tasks(): Promise<readonly TaskSummary[]> {
    return ((await this.#get('/api/v1/tasks')) as { tasks: TaskSummary[] }).tasks;
  }

  async #get(url: string): Promise<unknown> {
    return await this.#caller.call({ method: 'GET', path: url });
  }
}
