/**
 * ModelRuntime for models that MLflow saved with the flavor `python_function`: what scikit-learn, XGBoost and other libraries make and
 * ONNX does not hold. The "file" is the listing that the registry keeps. Each loaded model has a supervised Python process of its own, in
 * an environment built from the model's own requirements; loading code from a model is as trusted as running a step of a flow.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type BlobStore,
  type LoadedModel,
  MillraceError,
  type ModelRuntime,
  type ModelSignature,
  type Tensor,
  type TensorData,
  type TensorSpec,
} from '../../ports/index.ts';
import { bytesOfData, dataOfBytes } from '../../tensors/raw-bytes.ts';
import { stepEnvironment } from '../process-executor/process-executor.ts';
import { PythonEnvironments } from '../python-environment/python-environments.ts';
import { createInputCheck, type TensorCheck } from '../tensors/check-tensors.ts';
import { RunsUnderWay } from '../tensors/runs-under-way.ts';
import { type ModelListing, readListing, refuse } from './listing.ts';
import { type MlflowModelFile, readMlmodel } from './mlmodel-file.ts';
import { ModelFolders } from './model-folders.ts';
import { PythonProcess } from './python-process.ts';

export interface MlflowRuntimeOptions {
  readonly blobs: BlobStore;
  /** For the files of models. */
  readonly directory: string;
  /** Where Python environments are built and kept; may be shared with flows. */
  readonly environmentsDirectory: string;
  /** Threads of the numerics of one model. @default 1 */
  readonly threads?: number | undefined;
  /** @default 120000 */
  readonly loadTimeoutMs?: number | undefined;
  /** Of one call. @default 30000 */
  readonly runTimeoutMs?: number | undefined;
}

export interface LoadedMlflowModel extends LoadedModel {
  /** Process id; undefined while there is none. */
  pid(): number | undefined;
}

export interface MlflowRuntime extends ModelRuntime {
  load(bytes: Uint8Array, progress?: (doing: string) => void): Promise<LoadedMlflowModel>;
}

/** Beyond the errors of the port: UNAVAILABLE and TIMEOUT while the environment cannot be built or the process cannot be started. */
export function createMlflowRuntime(options: MlflowRuntimeOptions): MlflowRuntime {
  const { blobs, directory, environmentsDirectory, loadTimeoutMs = 120_000, runTimeoutMs = 30_000 } = options;
  const folders = new ModelFolders({ directory, blobs });
  const own = stepEnvironment();
  const environments = new PythonEnvironments({ directory: environmentsDirectory, environment: own });
  const threads = String(options.threads ?? 1);
  const swept = folders.sweep();
  return {
    async load(bytes, progress = () => undefined) {
      const listing = readListing(bytes);
      checkFiles(listing);
      await swept;
      const folder = await folders.fetch(bytes, listing);
      const file = readMlmodel(readFileSync(join(folder, 'MLmodel'), 'utf8'));
      const { variables } = await environments.prepare(requirementsOf(folder), {
        files: folder,
        signal: new AbortController().signal,
        log: (line) => progress(line.replace(/^millrace: /, '')),
      });
      progress('starting its Python process');
      const environment = {
        ...own,
        ...variables,
        PATH: `${variables['PATH'] ?? ''}:${own['PATH'] ?? ''}`,
        PYTHONUNBUFFERED: '1',
        ...Object.fromEntries(threadVariables.map((name) => [name, threads])),
      };
      const { form, outputs = null, times } = file;
      const names = file.inputs.map(({ name }) => name);
      const process = new PythonProcess({
        environment,
        settings: { folder, form, names, times, outputs },
        source: listing.source,
        loadTimeoutMs,
        runTimeoutMs,
      });
      try {
        return new MlflowModel(process, await signatureOf(file, process));
      } catch (error) {
        await process.close();
        throw error;
      }
    },
  };
}

const threadVariables = ['OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'];

function checkFiles({ source, files }: ModelListing): void {
  if (files.some(({ path }) => path === 'MLmodel')) return;
  throw refuse(
    files.length === 0
      ? `its files are not here but at ${source.slice(0, 200)}: log the model to this tracking server, then register it`
      : `there is no MLmodel among its ${files.length} files: register the folder that mlflow saved`,
  );
}

/** In MLflow's own order. */
function requirementsOf(folder: string): { readonly version: undefined; readonly requirements: string } {
  const file = ['python_env.yaml', 'conda.yaml', 'requirements.txt'].find((name) => existsSync(join(folder, name)));
  if (file !== undefined) return { version: undefined, requirements: file };
  throw refuse('it names no requirements (python_env.yaml, conda.yaml or requirements.txt): save it with them');
}

/** What the signature does not say is found by a run on two rows of zeros; a model that does not take those has to have a signature. */
async function signatureOf({ inputs, outputs }: MlflowModelFile, process: PythonProcess): Promise<ModelSignature> {
  const firsts = inputs.map(({ shape }) => shape[0]);
  const [first] = firsts;
  const alike = first !== undefined && firsts.every((size) => size === first);
  const batch = !alike ? 'none' : first === -1 ? 'dynamic' : first;
  if (outputs !== undefined) {
    // Loads the process, so that a model that cannot be loaded is refused now.
    await probe(inputs, process);
    return { inputs, outputs, batch };
  }
  const answer = await probe(inputs, process);
  if (answer === undefined) return { inputs, outputs: [{ name: 'predictions', datatype: 'FP64', shape: [-1] }], batch };
  const rows = answer.every(({ shape }) => shape[0] === probeRows);
  const found = answer.map(({ name, datatype, shape }): TensorSpec => {
    return { name, datatype, shape: rows && batch === 'dynamic' ? [-1, ...shape.slice(1)] : shape.map(() => -1) };
  });
  return { inputs, outputs: found, batch: batch === 'dynamic' && !rows ? 'none' : batch };
}

const probeRows = 2;

async function probe(inputs: readonly TensorSpec[], process: PythonProcess): Promise<readonly Tensor[] | undefined> {
  try {
    return await answerOf(process, inputs.map(zeros));
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'USER_CODE_FAILED') return undefined;
    throw error;
  }
}

function zeros({ name, datatype, shape }: TensorSpec): Tensor {
  const sizes = shape.map((size, axis) => (size !== -1 ? size : axis === 0 ? probeRows : 1));
  const length = sizes.reduce((product, size) => product * size, 1);
  const bytes = new Uint8Array(length * (datatype === 'BYTES' ? 4 : bytesOf[datatype]));
  return { name, datatype, shape: sizes, data: dataOfBytes(name, datatype, length, bytes) };
}

const bytesOf = {
  ...{ BOOL: 1, UINT8: 1, INT8: 1, UINT16: 2, INT16: 2, FP16: 2 },
  ...{ UINT32: 4, INT32: 4, FP32: 4, UINT64: 8, INT64: 8, FP64: 8 },
} as const;

async function answerOf(process: PythonProcess, inputs: readonly Tensor[]): Promise<readonly Tensor[]> {
  const tensors = inputs.map(({ name, datatype, shape }) => ({ name, datatype, shape }));
  const parts = inputs.map(({ datatype, data }) => bytesOfData(datatype, data));
  const answer = await process.call({ head: { tensors }, parts });
  const outputs = answer.head['tensors'] as readonly Omit<Tensor, 'data'>[];
  return outputs.map(({ name, datatype, shape }, index): Tensor => {
    const elements = shape.reduce((product, size) => product * size, 1);
    const data: TensorData = dataOfBytes(name, datatype, elements, answer.parts[index] ?? new Uint8Array());
    return { name, datatype, shape, data };
  });
}

class MlflowModel implements LoadedMlflowModel {
  readonly platform = 'mlflow_pyfunc';
  readonly signature: ModelSignature;
  readonly #process: PythonProcess;
  readonly #check: TensorCheck;
  readonly #runs: RunsUnderWay;

  constructor(process: PythonProcess, signature: ModelSignature) {
    this.#process = process;
    this.signature = signature;
    this.#check = createInputCheck(signature);
    this.#runs = new RunsUnderWay(() => process.close());
  }

  pid(): number | undefined {
    return this.#process.pid;
  }

  async run(inputs: readonly Tensor[]): Promise<readonly Tensor[]> {
    this.#runs.enter();
    try {
      this.#check(inputs);
      return await answerOf(this.#process, inputs);
    } finally {
      this.#runs.leave();
    }
  }

  close(): Promise<void> {
    return this.#runs.close();
  }
}
