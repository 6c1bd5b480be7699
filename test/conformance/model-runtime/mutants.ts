import { hasCode, type LoadedModel, MillraceError, type Tensor } from '../../../runtime/ports/index.ts';
import type { ModelRuntimeFixture } from './fixture.ts';
import { functionFixture } from './function-models.ts';

/** What is wrong with one mutant; everything else of it is right. */
export interface Mutation {
  readonly name: string;
  readonly signature?: (signature: LoadedModel['signature']) => LoadedModel['signature'];
  readonly inputs?: (inputs: readonly Tensor[], model: LoadedModel) => readonly Tensor[];
  readonly output?: (tensor: Tensor, inputs: readonly Tensor[]) => Tensor;
  readonly outputs?: (outputs: readonly Tensor[]) => readonly Tensor[];
  readonly error?: (error: unknown) => unknown;
  readonly refusal?: (error: MillraceError) => unknown;
  readonly breaks?: true;
  readonly mixes?: true;
  readonly close?: 'at once' | 'never' | 'complains' | 'all';
}

export const mutations: readonly Mutation[] = [
  { name: 'turns the outputs around', outputs: (outputs) => outputs.toReversed() },
  {
    name: 'takes the inputs by position',
    inputs: (inputs, { signature }) => {
      const known = inputs.every(({ name }) => signature.inputs.some((spec) => spec.name === name));
      const unlike = new Set(inputs.map(({ name }) => name)).size === inputs.length && inputs.length === 2;
      return known && unlike
        ? inputs.map((tensor, index) => ({ ...tensor, name: signature.inputs[index]!.name }))
        : inputs;
    },
  },
  {
    name: 'declares a size that is not fixed',
    signature: (signature) => ({
      ...signature,
      inputs: signature.inputs.map((spec) => ({ ...spec, shape: spec.shape.map(() => -1) })),
    }),
  },
  { name: 'calls every batch dynamic', signature: (signature) => ({ ...signature, batch: 'dynamic' }) },
  {
    name: 'counts with doubles',
    output: (tensor) =>
      tensor.data instanceof BigInt64Array
        ? { ...tensor, data: tensor.data.map((value) => BigInt(Number(value))) }
        : tensor,
  },
  {
    name: 'widens half-precision numbers',
    output: (tensor) =>
      tensor.datatype === 'FP16' ? { ...tensor, data: Float32Array.from(tensor.data as Uint16Array) } : tensor,
  },
  {
    name: 'gives booleans as bytes',
    // The one model that is about booleans: the others answer with some beside.
    output: (tensor) =>
      tensor.datatype === 'BOOL' && tensor.name === 'y'
        ? { ...tensor, data: Uint8Array.from(tensor.data as readonly boolean[], Number) }
        : tensor,
  },
  {
    name: 'trims texts',
    output: (tensor) =>
      tensor.datatype === 'BYTES'
        ? { ...tensor, data: (tensor.data as readonly string[]).map((text) => text.trim()) }
        : tensor,
  },
  {
    name: 'replaces what is not finite',
    output: (tensor) => mapFloats(tensor, (value) => (Number.isFinite(value) ? value : 0)),
  },
  {
    name: 'refuses an empty batch',
    inputs: (inputs) => {
      if (inputs[0]?.shape[0] === 0) throw new MillraceError('INVALID_ARGUMENT', 'Empty.');
      return inputs;
    },
  },
  {
    name: 'gives a scalar a dimension',
    output: (tensor) => (tensor.shape.length === 0 ? { ...tensor, shape: [1] } : tensor),
  },
  {
    name: 'lets the rows of a batch influence each other',
    output: (tensor, inputs) => ((inputs[0]?.shape[0] ?? 0) > 1 ? mapFloats(tensor, (value) => value + 1) : tensor),
  },
  {
    name: 'passes unknown inputs over',
    inputs: (inputs, { signature }) => inputs.filter(({ name }) => signature.inputs.some((spec) => spec.name === name)),
  },
  {
    name: 'fills in a missing input',
    inputs: (inputs) =>
      inputs.length === 1 && inputs[0]?.name === 'a' ? [...inputs, { ...inputs[0], name: 'b' }] : inputs,
  },
  {
    name: 'takes the last of two inputs of one name',
    inputs: (inputs) => [...new Map(inputs.map((tensor) => [tensor.name, tensor])).values()],
  },
  {
    name: 'converts other datatypes',
    inputs: (inputs) =>
      inputs.map((tensor) =>
        tensor.datatype === 'FP64'
          ? { ...tensor, datatype: 'FP32', data: Float32Array.from(tensor.data as Float64Array) }
          : tensor,
      ),
  },
  {
    name: 'converts other kinds of data',
    inputs: (inputs) =>
      inputs.map((tensor) =>
        tensor.datatype === 'FP32' && tensor.data instanceof Int32Array
          ? { ...tensor, data: Float32Array.from(tensor.data) }
          : tensor,
      ),
  },
  {
    name: 'cuts off values that are too many',
    inputs: (inputs) =>
      inputs.map((tensor) =>
        tensor.shape[1] === 3 ? { ...tensor, data: tensor.data.slice(0, 3 * tensor.shape[0]!) } : tensor,
      ),
  },
  {
    name: 'makes the rank fit',
    inputs: (inputs) =>
      inputs.map((tensor) =>
        tensor.name === 'b' && tensor.shape.length === 1 ? { ...tensor, shape: [1, 3] } : tensor,
      ),
  },
  {
    name: 'makes the size fit',
    inputs: (inputs) =>
      inputs.map((tensor) =>
        tensor.name === 'b' && tensor.shape[1] === 2
          ? { ...tensor, shape: [1, 3], data: Float32Array.from([...(tensor.data as Float32Array), 0]) }
          : tensor,
      ),
  },
  {
    name: 'repeats the rows that are fewer',
    inputs: (inputs) => {
      const [a, b] = inputs;
      if (inputs.length !== 2 || a?.shape[0] !== 2 || b?.shape[0] !== 1) return inputs;
      const values = [...(b.data as Float32Array)];
      return [a, { ...b, shape: [2, 3], data: Float32Array.from([...values, ...values]) }];
    },
  },
  {
    name: 'cuts a fixed batch off',
    inputs: (inputs) =>
      inputs.map((tensor) =>
        tensor.shape[0] === 6 && tensor.shape[1] === 5
          ? { ...tensor, shape: [4, 5], data: tensor.data.slice(0, 20) }
          : tensor,
      ),
  },
  {
    name: 'says only that an input is invalid',
    error: (error) =>
      hasCode(error, 'INVALID_ARGUMENT')
        ? new MillraceError(error.code, 'Invalid.', { details: error.details })
        : error,
  },
  { name: 'breaks with a bad input', breaks: true },
  { name: 'mixes up runs at once', mixes: true },
  { name: 'uses the memory of an answer again', outputs: reusing() },
  {
    name: 'writes into its inputs',
    output: (tensor, inputs) => {
      if (tensor.name === 'total') (inputs[0]?.data as Float32Array).fill(0);
      return tensor;
    },
    // The answer is computed before, and each run gets inputs of its own, but for the case that looks at them.
    inputs: (inputs) =>
      inputs[0]?.data[0] === 5
        ? inputs
        : inputs.map((tensor) => ({ ...tensor, data: tensor.data.slice() as Float32Array })),
  },
  {
    name: 'calls a bad file an invalid argument',
    refusal: ({ message }) => new MillraceError('INVALID_ARGUMENT', message),
  },
  { name: 'closes at once', close: 'at once' },
  { name: 'runs after close', close: 'never' },
  { name: 'complains when it is closed twice', close: 'complains' },
  { name: 'closes all models with one', close: 'all' },
];

/** The function runtime with one thing wrong with it. */
export function mutantFixture(mutation: Mutation): ModelRuntimeFixture {
  const good = functionFixture();
  const opened: LoadedModel[] = [];
  return {
    refusedFiles: good.refusedFiles,
    async load(name) {
      const model = await good.load(name);
      opened.push(model);
      return mutant(model, mutation, opened);
    },
    async loadRefused(bytes) {
      try {
        return await good.loadRefused(bytes);
      } catch (error) {
        throw mutation.refusal?.(error as MillraceError) ?? error;
      }
    },
  };
}

function mutant(model: LoadedModel, mutation: Mutation, opened: readonly LoadedModel[]): LoadedModel {
  let broken = false;
  let closed = false;
  let latest: Promise<readonly Tensor[]> = Promise.resolve([]);
  return {
    signature: mutation.signature?.(model.signature) ?? model.signature,
    async run(given) {
      if (broken) throw new MillraceError('INTERNAL', 'Broken.');
      try {
        const inputs = mutation.inputs?.(given, model) ?? given;
        const own = model.run(inputs);
        latest = own;
        const answer = await own;
        const outputs = (mutation.mixes ? await latest : answer).map(
          (tensor) => mutation.output?.(tensor, inputs) ?? tensor,
        );
        return mutation.outputs?.(outputs) ?? outputs;
      } catch (error) {
        broken = mutation.breaks === true && given.length === 0;
        throw mutation.error?.(error) ?? error;
      }
    },
    async close() {
      const again = closed;
      closed = true;
      if (mutation.close === 'complains' && again) throw new MillraceError('CLOSED', 'Closed already.');
      if (mutation.close === 'never') await latest.then(nothing, nothing).then(nothing).then(nothing);
      else if (mutation.close === 'at once') void model.close();
      else await Promise.all((mutation.close === 'all' ? opened : [model]).map((each) => each.close()));
    },
  };
}

const nothing = (): void => undefined;

function mapFloats(tensor: Tensor, change: (value: number) => number): Tensor {
  return tensor.data instanceof Float32Array ? { ...tensor, data: tensor.data.map(change) } : tensor;
}

/** One run after the other gets the same memory; runs at once do not. */
function reusing(): (outputs: readonly Tensor[]) => readonly Tensor[] {
  let memory: readonly Tensor[] = [];
  return (outputs) => {
    const total = outputs.at(-1)?.data;
    const before = memory.at(-1)?.data;
    if (
      total instanceof Float32Array &&
      before instanceof Float32Array &&
      total[0] === 27 &&
      outputs[0]?.data[0] === 18
    )
      before.set(total);
    memory = outputs;
    return outputs;
  };
}
