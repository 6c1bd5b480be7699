/** Tensors of one node as another model takes them: custom code has numbers, models have datatypes. */
import type { ModelSignature, Tensor } from '../ports/index.ts';
import { castTensor } from './row-values.ts';

/**
 * A single tensor fits a single input whatever its name; numbers are cast where the model's datatype holds them; a row of one element
 * becomes [n] or [n, 1] as the model has it. What does not fit is left as it is, for the check of the signature to judge.
 */
export function fitInputs(tensors: readonly Tensor[], { inputs }: ModelSignature): readonly Tensor[] {
  const [only] = inputs;
  return tensors.map((tensor) => {
    const spec =
      inputs.find(({ name }) => name === tensor.name) ??
      (inputs.length === 1 && tensors.length === 1 ? only : undefined);
    if (spec === undefined) return tensor;
    const cast = castTensor(tensor, spec.datatype) ?? tensor;
    return { ...cast, name: spec.name, shape: fitShape(cast.shape, spec.shape) };
  });
}

function fitShape(shape: readonly number[], wanted: readonly number[]): readonly number[] {
  if (shape.length === wanted.length) return shape;
  const [rows = 1, ...rest] = shape;
  const width = rest.reduce((product, size) => product * size, 1);
  const free = wanted.slice(1).filter((size) => size === -1).length;
  const fixed = wanted.slice(1).reduce((product, size) => (size === -1 ? product : product * size), 1);
  if (free > 1 || (free === 0 ? fixed !== width : width % fixed !== 0)) return shape;
  return [rows, ...wanted.slice(1).map((size) => (size === -1 ? width / fixed : size))];
}
