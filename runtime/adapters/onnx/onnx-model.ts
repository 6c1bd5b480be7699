import type { InferenceSession, Tensor as RuntimeTensorClass, TypedTensor } from 'onnxruntime-node';
import { MillraceError, type ModelSignature, type Tensor } from '../../ports/index.ts';
import { createInputCheck, type TensorCheck } from '../tensors/check-tensors.ts';
import { RunsUnderWay } from '../tensors/runs-under-way.ts';
import type { OnnxInspection } from './inspect.ts';
import type { LoadedOnnxModel } from './onnx-runtime.ts';
import { type RuntimeTensor, runtimeData, runtimeTypes, tensorOfRuntime } from './onnx-tensors.ts';
import { runtimeMessage } from './runtime-message.ts';

type TensorClass = typeof RuntimeTensorClass;

/** A session of onnxruntime. The data of inputs must not change until the run is over. */
export class OnnxModel implements LoadedOnnxModel {
  readonly platform = 'onnxruntime_onnx';
  readonly signature: ModelSignature;
  readonly notes: readonly string[];
  readonly #session: InferenceSession;
  readonly #Tensor: TensorClass;
  readonly #check: TensorCheck;
  readonly #runs: RunsUnderWay;
  /** Outputs that are tensors; asking for the others makes the runtime throw. */
  readonly #fetches: readonly string[];

  constructor(session: InferenceSession, Tensor: TensorClass, { signature, notes, defaulted }: OnnxInspection) {
    this.signature = signature;
    this.notes = notes;
    this.#session = session;
    this.#Tensor = Tensor;
    this.#check = createInputCheck(signature, {
      fixed: new Map(
        defaulted.map((name) => [name, 'it has a default in the model, which cannot be overridden; leave it out']),
      ),
    });
    this.#runs = new RunsUnderWay(() => session.release());
    this.#fetches = signature.outputs.map(({ name }) => name);
  }

  async run(inputs: readonly Tensor[]): Promise<readonly Tensor[]> {
    this.#runs.enter();
    try {
      this.#check(inputs);
      const feeds: Record<string, RuntimeTensorClass> = {};
      for (const input of inputs) feeds[input.name] = this.#runtimeTensor(input);
      const answer = await this.#answer(feeds, inputs);
      return this.#fetches.map((name) => tensorOfRuntime(name, answer[name] as unknown as RuntimeTensor));
    } finally {
      this.#runs.leave();
    }
  }

  close(): Promise<void> {
    return this.#runs.close();
  }

  #runtimeTensor(input: Tensor): RuntimeTensorClass {
    const Tensor = this.#Tensor as unknown as new (
      type: string,
      data: unknown,
      dims: readonly number[],
    ) => TypedTensor<'float32'>;
    return new Tensor(runtimeTypes[input.datatype], runtimeData(input), input.shape);
  }

  async #answer(feeds: InferenceSession.FeedsType, inputs: readonly Tensor[]): Promise<InferenceSession.ReturnType> {
    try {
      return await this.#session.run(feeds, this.#fetches);
    } catch (cause) {
      const shapes = inputs.map(({ name, shape }) => `'${name}' [${shape.join(', ')}]`).join(', ');
      throw new MillraceError(
        'INVALID_ARGUMENT',
        `the model does not run on these inputs (${shapes}): ${runtimeMessage(cause)}`,
        { cause },
      );
    }
  }
}
