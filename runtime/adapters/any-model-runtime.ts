/** ModelRuntime that takes whatever a model version is: an ONNX file, or a listing of files that MLflow saved, or of a model on another server. */
import type { ModelRuntime } from '../ports/index.ts';
import { isListing, readListing } from './mlflow-model/listing.ts';

export interface ModelRuntimes {
  readonly onnx: ModelRuntime;
  /** Listings whose source is the address of a server. */
  readonly remote: ModelRuntime;
  /** All other listings. */
  readonly mlflow: ModelRuntime;
}

export function createAnyModelRuntime({ onnx, remote, mlflow }: ModelRuntimes): ModelRuntime {
  return {
    load: async (bytes, progress) => {
      if (!isListing(bytes)) return await onnx.load(bytes, progress);
      const { source, files } = readListing(bytes);
      const runtime = files.length === 0 && /^(?:https?|grpcs?):\/\//.test(source) ? remote : mlflow;
      return await runtime.load(bytes, progress);
    },
  };
}
