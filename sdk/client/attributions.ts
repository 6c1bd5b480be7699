/** Why predictions came out as they did. */
import type { Attribution, AttributionList, ComputedAttribution } from '../../schemas/api/attributions.ts';
import type { AskedMethod } from '../../schemas/explainers.ts';
import { type HttpCaller, path } from './http-caller.ts';

export interface AttributionOptions {
  /** @default auto: tree-shap where the model is one tree ensemble, else kernel-shap */
  readonly method?: AskedMethod | undefined;
  /** Row of the prediction. @default 0 */
  readonly row?: number | undefined;
  /** Column of the answer, such as `probabilities[1]`. @default the predicted class, or the deployment's output */
  readonly output?: string | undefined;
  /** Of a counterfactual: the number that the output shall reach. @default another class */
  readonly target?: number | undefined;
}

export class AttributionCalls {
  readonly #caller: HttpCaller;

  constructor(caller: HttpCaller) {
    this.#caller = caller;
  }

  /** Computes why, or gives what was computed before for the same question. Rejects with the reason when it cannot be explained. */
  async compute(predictionId: string, options: AttributionOptions = {}): Promise<ComputedAttribution> {
    const asked = {
      method: 'POST',
      path: path`/api/v1/predictions/${predictionId}/attributions`,
      body: options,
    } as const;
    return (await this.#caller.call(asked)) as ComputedAttribution;
  }

  /** What was computed and refused so far, newest first. */
  async list(predictionId: string): Promise<readonly Attribution[]> {
    const asked = { method: 'GET', path: path`/api/v1/predictions/${predictionId}/attributions` } as const;
    return ((await this.#caller.call(asked)) as AttributionList).attributions;
  }
}
