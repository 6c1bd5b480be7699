/** What parent and step child say to each other (advanced serialization, so bytes travel as bytes). */
import type { ModelRegistration, PythonRequest } from '../../ports/flow-code.ts';

export interface EncodedArtifact {
  readonly name: string;
  readonly codec: string;
  /** Small ones; the others lie in `path`. */
  readonly bytes?: Uint8Array | undefined;
  readonly path?: string | undefined;
}

export interface RunStep {
  readonly type: 'run';
  readonly number: number;
  readonly bundlePath: string;
  readonly flow: string;
  readonly step: string;
  readonly inputs: readonly { readonly branch: string; readonly artifacts: readonly EncodedArtifact[] }[];
  /** JSON. */
  readonly parameters: string;
  readonly runId: string;
  readonly taskId: string;
  readonly attempt: number;
  readonly idempotencyKey: string;
  /** Where artifacts over `inlineBytesMax` are left. */
  readonly outDirectory: string;
  /** For a step that is a program: the folder of its attempt. Made by the child, removed by the parent. */
  readonly attemptDirectory: string;
}

export type ToChild =
  | RunStep
  | { readonly type: 'abort'; readonly number: number }
  /** The Python environment that a program asked for is ready: variables to add; PATH goes before that of the worker. */
  | { readonly type: 'environment'; readonly number: number; readonly variables: Readonly<Record<string, string>> }
  /** Load a bundle ahead of its first step. */
  | { readonly type: 'load'; readonly bundlePath: string }
  | { readonly type: 'describe'; readonly bundlePath: string };

export type EncodedModel = Omit<ModelRegistration, 'onnx'> & { readonly artifact: EncodedArtifact };

export type FromChild =
  | { readonly type: 'ready' }
  /** The step is a program. With `python`, it waits for its environment. */
  | { readonly type: 'program'; readonly number: number; readonly python: PythonRequest | undefined }
  | {
      readonly type: 'completed';
      readonly number: number;
      readonly artifacts: readonly EncodedArtifact[];
      readonly models: readonly EncodedModel[];
      readonly userMs: number;
      /** The log ends with the mark of this step: wait for it. */
      readonly logged: boolean;
      /** What it started still runs: the child must not be used again. */
      readonly spoiled: boolean;
    }
  | {
      readonly type: 'failed';
      readonly number: number;
      readonly kind: 'user' | 'killed';
      readonly message: string;
      readonly stack: string;
      readonly logged: boolean;
      /** The child is in an unknown state and must not be used again. */
      readonly spoiled: boolean;
    }
  | {
      readonly type: 'described';
      readonly name: string;
      readonly graph: unknown;
      readonly triggers: readonly unknown[];
      readonly policy: unknown;
      readonly files: readonly string[];
    }
  | { readonly type: 'undescribed'; readonly message: string };

/** Where the files of a bundle lie; there is no such folder when it has none. */
export function bundleFolder(bundlePath: string): string {
  return `${bundlePath}.files`;
}

/** Where a program starts, and the flow's files lie, within the folder of its attempt. */
export function programFolder(attemptDirectory: string): string {
  return `${attemptDirectory}/files`;
}

export const inlineBytesMax = 64 * 1024;

/** Begins each write on standard output: what follows is of the stream `o` or `e`, or `.` ends the log of a step. */
export const logMark = '\u001e';
