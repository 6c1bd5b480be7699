/** Drift findings: what was found, with the distributions behind it, and the same computed again. */
import type { DriftReplay, ShownDrift } from '../../schemas/api/findings.ts';
import { type HttpCaller, path } from './http-caller.ts';

export class DriftCalls {
  readonly #caller: HttpCaller;

  constructor(caller: HttpCaller) {
    this.#caller = caller;
  }

  async show(id: string): Promise<ShownDrift> {
    return (await this.#caller.call({ method: 'GET', path: path`/api/v1/drift/${id}` })) as ShownDrift;
  }

  /** Computes the finding again from the rows at the positions that it names. */
  async replay(id: string): Promise<DriftReplay> {
    return (await this.#caller.call({ method: 'GET', path: path`/api/v1/drift/${id}/replay` })) as DriftReplay;
  }
}
