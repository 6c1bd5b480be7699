/** What parent and step child say to each other (advanced serialization, so bytes travel as bytes). */
import type { ModelRegistration, PythonRequest } from '../../ports/flow-code.ts';
import type { ArtifactRead, ArtifactRef, TaskFrame } from '../../ports/task-executor.ts';

export interface EncodedValueRef {
  readonly codec: string;
  /** Small ones; the others lie in `path`. */
  readonly bytes?: Uint8Array | undefined;
  readonly path?: string | undefined;
  /** Where in the file, bytes; all of it when absent. */
  readonly slice?: { readonly start: number; readonly length: number } | undefined;
}

export interface EncodedArtifact extends EncodedValueRef {
  readonly name: string;
}

/** An input: its value, and the reference under which it can be passed on. */
export interface InputArtifact extends EncodedArtifact {
  readonly ref: ArtifactRef;
}

export interface RunStep {
  readonly type: 'run';
  readonly number: number;
  readonly bundlePath: string;
  readonly flow: string;
  readonly kind: string;
  readonly step: string;
  readonly inputs: readonly { readonly branch: string; readonly artifacts: readonly InputArtifact[] }[];
  /** Files with further inputs of a join; artifacts that are not in them lie in `artifactDirectory` under their hash. */
  readonly packs: readonly string[];
  readonly artifactDirectory: string;
  readonly stack: readonly (TaskFrame & { readonly item: EncodedValueRef | undefined })[];
  readonly gang: { readonly rank: number; readonly size: number; readonly address: string } | undefined;
  readonly end: Readonly<Record<string, unknown>> | undefined;
  readonly maxSplits: number;
  /** Items of a foreach are told apart by their content. */
  readonly digests: boolean;
  /** Variables for as long as the step runs, secrets among them. */
  readonly environment: Readonly<Record<string, string>>;
  /** JSON. */
  readonly parameters: string;
  /** Parameters that are files. */
  readonly files: readonly FileParameter[];
  /** JSON. */
  readonly configuration: string;
  readonly runId: string;
  readonly taskId: string;
  readonly attempt: number;
  readonly idempotencyKey: string;
  /** Where artifacts over `inlineBytesMax` are left. */
  readonly outDirectory: string;
  /** What earlier attempts have saved. */
  readonly checkpoints: readonly EncodedArtifact[];
  /** For a step that is a program: the folder of its attempt. Made by the child, removed by the parent. */
  readonly attemptDirectory: string;
}

export interface FileParameter {
  readonly name: string;
  /** text, bytes or json. */
  readonly as: string;
  readonly path: string;
}

export type ToChild =
  | RunStep
  | { readonly type: 'abort'; readonly number: number }
  /** A checkpoint will be there for the next attempt, or why it will not. */
  | {
      readonly type: 'checkpointed';
      readonly number: number;
      readonly id: number;
      readonly problem?: string | undefined;
    }
  /** The Python environment that a program asked for is ready: variables to add; PATH goes before that of the worker. */
  | { readonly type: 'environment'; readonly number: number; readonly variables: Readonly<Record<string, string>> }
  /** Load a bundle ahead of its first step. */
  | { readonly type: 'load'; readonly bundlePath: string }
  | { readonly type: 'describe'; readonly bundlePath: string };

export type EncodedModel = Omit<ModelRegistration, 'onnx' | 'attached'> & {
  readonly artifact: EncodedArtifact;
  readonly attached?: readonly EncodedArtifact[];
};

/** Metrics, parameters and tags that the manifest of a program names. */
export interface LoggedByProgram {
  /** Milliseconds. */
  readonly timestamp: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly params: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
}

export type FromChild =
  | { readonly type: 'ready' }
  /** A card's present document, JSON. */
  | { readonly type: 'card'; readonly number: number; readonly name: string; readonly document: string }
  /** To be there for the next attempt; the answer has this id. */
  | { readonly type: 'checkpoint'; readonly number: number; readonly id: number; readonly artifact: EncodedArtifact }
  /** The step is a program. With `python`, it waits for its environment. */
  | { readonly type: 'program'; readonly number: number; readonly python: PythonRequest | undefined }
  | {
      readonly type: 'completed';
      readonly number: number;
      readonly artifacts: readonly EncodedArtifact[];
      /** Inputs that it has read. */
      readonly inputs: readonly ArtifactRead[];
      /** Inputs that are passed on as they are. */
      readonly passed: readonly ArtifactRef[];
      readonly models: readonly EncodedModel[];
      readonly values?: LoggedByProgram | undefined;
      /** Of the run. */
      readonly tags: { readonly add: readonly string[]; readonly remove: readonly string[] } | undefined;
      readonly split: { readonly size: number; readonly packs: readonly EncodedPack[] } | undefined;
      readonly choice: string | undefined;
      readonly again: boolean;
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
      /** With the frames of the platform; '' when the stack has none. */
      readonly trace: string;
      /** It would fail the same way again. */
      readonly final: boolean;
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

export interface EncodedPack {
  readonly count: number;
  readonly digests?: Uint8Array | undefined;
  readonly content: EncodedArtifact;
}

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
