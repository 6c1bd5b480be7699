/** What the model server and a code thread say to each other. Several messages go in one post. */
import type { CodeAnswer, CodeForm } from '../../../runtime/inference-graph/graph-services.ts';
import type { ErrorCode, Tensor } from '../../../runtime/ports/index.ts';

export interface ThreadCall {
  readonly type: 'call';
  readonly id: number;
  readonly function: string;
  readonly form: CodeForm;
  readonly rows: number;
  readonly inputs: readonly { readonly name: string; readonly tensors: readonly Tensor[] }[];
  readonly request: readonly Tensor[];
  readonly models: readonly string[];
}

export type ToThread =
  | ThreadCall
  | { readonly type: 'told'; readonly ask: number; readonly outputs: readonly Tensor[] }
  | { readonly type: 'refused'; readonly ask: number; readonly code: ErrorCode; readonly message: string }
  | { readonly type: 'ping' };

export type FromThread =
  | { readonly type: 'answer'; readonly id: number; readonly answer: CodeAnswer }
  | {
      readonly type: 'failed';
      readonly id: number;
      readonly code: ErrorCode;
      readonly message: string;
      readonly node?: string;
    }
  | {
      readonly type: 'ask';
      readonly id: number;
      readonly ask: number;
      readonly model: string;
      readonly inputs: readonly Tensor[];
    }
  | { readonly type: 'loaded'; readonly functions: readonly string[] }
  | { readonly type: 'unloadable'; readonly message: string }
  | { readonly type: 'pong' };

export interface ThreadData {
  /** The bundle's file. */
  readonly bundle: string;
}
