/**
 * ModelRuntime on onnxruntime-node 1.30 (CPU). The native library is loaded with the first model.
 *
 * A file is inspected before the runtime sees it (`inspect.ts`), and the runtime gets bytes, never a path, so that it opens no other
 * file. onnxruntime-node runs a model on the calling thread: a run holds up the event loop for as long as it takes.
 *
 * - Outputs that are no tensors (sequences of maps, as scikit-learn's classifiers have by default) are left out; `notes` says so.
 * - Inputs with a default inside of the model cannot be given: onnxruntime-node passes them over.
 * - `batch` comes from the declared shapes; a model whose answers depend on the other rows looks like any other.
 */
import type { InferenceSession } from 'onnxruntime-node';
import type { LoadedModel, ModelRuntime } from '../../ports/index.ts';
import { inspectOnnx } from './inspect.ts';
import { OnnxModel } from './onnx-model.ts';
import { refused } from './refusal.ts';
import { runtimeMessage } from './runtime-message.ts';

export interface OnnxRuntimeOptions {
  /** Threads that one run may use. More pay off for large models only. @default 1 */
  readonly threads?: number | undefined;
}

export interface LoadedOnnxModel extends LoadedModel {
  /** Sentences for people who deploy the model: what is left out and why. */
  readonly notes: readonly string[];
}

export interface OnnxModelRuntime extends ModelRuntime {
  load(bytes: Uint8Array): Promise<LoadedOnnxModel>;
}

export function createOnnxRuntime({ threads = 1 }: OnnxRuntimeOptions = {}): OnnxModelRuntime {
  return {
    async load(bytes) {
      const inspection = inspectOnnx(bytes);
      const onnxruntime = await import('onnxruntime-node');
      onnxruntime.env.logLevel = 'fatal';
      const options = sessionOptions(threads, inspection.nodes);
      let session: InferenceSession;
      try {
        session = await onnxruntime.InferenceSession.create(bytes, options);
      } catch (error) {
        throw refused('runtime', '', `onnxruntime cannot load it: ${runtimeMessage(error)}`);
      }
      return new OnnxModel(session, onnxruntime.Tensor, inspection);
    },
  };
}

/** Bytes of all constants together that may be computed while a model is loaded. */
const foldedBytesMax = 256 * 1024 * 1024;

function sessionOptions(threads: number, nodes: number): InferenceSession.SessionOptions {
  return {
    executionProviders: ['cpu'],
    executionMode: 'sequential',
    interOpNumThreads: 1,
    intraOpNumThreads: threads,
    graphOptimizationLevel: 'all',
    logSeverityLevel: 4,
    extra: {
      // Else the bytes decide, and another format would pass the inspection by.
      session: { load_model_format: 'ONNX' },
      // A hundred bytes can ask for a constant of many gigabytes.
      optimization: {
        constant_folding_max_output_size_in_bytes: String(Math.floor(foldedBytesMax / Math.max(16, nodes))),
      },
    },
  };
}
