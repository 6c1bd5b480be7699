/** What the evaluation of a graph needs from around it: models and code to run. A model server has both; so has a test. */
import type { CodePin, ModelPin } from '../../schemas/inference-graph.ts';
import type { Tensor } from '../ports/index.ts';

export interface GraphServices<M = ModelPin, C = CodePin> {
  /**
   * `fit`: the tensors come from within the graph and are made to fit the model; a request's must fit as they are. `isWanted`, of a graph
   * with windows, says whether the call is still waited for: one that has not begun and is not need not begin.
   */
  runModel(model: M, inputs: readonly Tensor[], fit: boolean, isWanted?: () => boolean): Promise<ModelAnswer>;
  runCode(call: CodeCall<C>): Promise<CodeAnswer>;
}

export interface GraphRequest {
  readonly inputs: readonly Tensor[];
  /** Decides built-in routers: `random` by the first, `hash` by the second. */
  readonly predictionId: string;
  readonly entity: string;
}

export interface ModelAnswer {
  readonly outputs: readonly Tensor[];
  readonly rows: number;
  /** Until the call began. */
  readonly queueMs: number;
  /** The call, which requests share. */
  readonly runMs: number;
}

/**
 * - `row`: (row) → row. `models`: (row, models) → row. `answer`: (row, request's row) → row.
 * - `combine`: (rows by input) → row. `choose`: (row) → branch, branches or null.
 */
export type CodeForm = 'row' | 'models' | 'answer' | 'combine' | 'choose';

export interface CodeCall<C = CodePin> {
  readonly code: C;
  readonly form: CodeForm;
  readonly rows: number;
  /** One for each input of the node that is there. */
  readonly inputs: readonly { readonly name: string; readonly tensors: readonly Tensor[] }[];
  /** For `answer`. */
  readonly request: readonly Tensor[];
  readonly timeoutMs: number;
  readonly memoryMb: number;
  /** Names that `models` may ask. */
  readonly models: readonly string[];
  /** One row. */
  ask(model: string, inputs: readonly Tensor[]): Promise<readonly Tensor[]>;
}

export type CodeAnswer =
  | { readonly type: 'tensors'; readonly tensors: readonly Tensor[] }
  | { readonly type: 'branches'; readonly branches: readonly string[] }
  /** The rows go different ways, or have different values: each has to be evaluated on its own. */
  | { readonly type: 'rows-disagree' };
