/** A model that is a plain function behind the contract of ModelRuntime: its inputs and outputs are held to the signature. */
import { type LoadedModel, MillraceError, type ModelSignature, messageOf, type Tensor } from '../../ports/index.ts';
import { checkTensor, createInputCheck } from '../tensors/check-tensors.ts';
import { RunsUnderWay } from '../tensors/runs-under-way.ts';

export interface FunctionModelDefinition {
  /** `[a-z0-9][a-z0-9-]{0,62}`. */
  readonly name: string;
  readonly signature: ModelSignature;
  /** Gets every input of the signature; gives every output of it, in any order. Runs may overlap. */
  readonly run: (inputs: Readonly<Record<string, Tensor>>) => readonly Tensor[] | Promise<readonly Tensor[]>;
}

/**
 * Errors beyond those of the port: USER_CODE_FAILED when the function throws (a MillraceError of its own passes through) or its
 * answer does not fit the signature.
 *
 * @example
 * const double = createFunctionModel({
 *   name: 'double',
 *   signature: { inputs: [x], outputs: [y], batch: 'dynamic' },
 *   run: ({ x }) => [{ name: 'y', datatype: 'FP32', shape: x.shape, data: x.data.map((value) => value * 2) }],
 * });
 */
export function createFunctionModel(definition: FunctionModelDefinition): LoadedModel {
  const { name, signature } = definition;
  if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(name)) {
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `the name of a function model must match [a-z0-9][a-z0-9-]{0,62}, got '${name}'`,
    );
  }
  const check = createInputCheck(signature);
  const runs = new RunsUnderWay(() => Promise.resolve());
  return {
    signature,
    async run(inputs) {
      runs.enter();
      try {
        check(inputs);
        return ordered(definition, await called(definition, inputs));
      } finally {
        runs.leave();
      }
    },
    close: () => runs.close(),
  };
}

async function called({ name, run }: FunctionModelDefinition, inputs: readonly Tensor[]): Promise<readonly Tensor[]> {
  try {
    return await run(Object.fromEntries(inputs.map((tensor) => [tensor.name, tensor])));
  } catch (cause) {
    if (cause instanceof MillraceError) throw cause;
    throw new MillraceError('USER_CODE_FAILED', `function model '${name}' threw: ${messageOf(cause)}`, { cause });
  }
}

function ordered({ name, signature }: FunctionModelDefinition, outputs: readonly Tensor[]): readonly Tensor[] {
  return signature.outputs.map((spec) => {
    const tensor = outputs.find((output) => output.name === spec.name);
    try {
      if (tensor === undefined) throw new MillraceError('INVALID_ARGUMENT', `output '${spec.name}': it is missing`);
      checkTensor(tensor, spec, 'output');
      return tensor;
    } catch (cause) {
      throw new MillraceError('USER_CODE_FAILED', `function model '${name}' answered wrongly: ${messageOf(cause)}`, {
        cause,
      });
    }
  });
}
