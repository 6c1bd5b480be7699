/** How the answer of a shadow differs from the one that was given. */
import type { Tensor, TensorDifference } from '../../schemas/events.ts';
import { valuesOf } from './event-tensors.ts';

/** Relative to the larger of two numbers: what the order of sums in single precision may make. */
const tolerance = 1e-5;

/** One for every tensor of either answer that differs; empty: they agree. */
export function differencesOf(given: readonly Tensor[], shadow: readonly Tensor[]): readonly TensorDifference[] {
  const names = new Set([...given, ...shadow].map(({ name }) => name));
  return [...names].flatMap((name) => {
    const one = given.find((tensor) => tensor.name === name);
    const other = shadow.find((tensor) => tensor.name === name);
    if (one === undefined || other === undefined)
      return [unlike(name, one === undefined ? 'only the shadow gives it' : 'the shadow does not give it')];
    const shape = `${one.datatype} [${one.shape.join(', ')}]`;
    const otherShape = `${other.datatype} [${other.shape.join(', ')}]`;
    if (shape !== otherShape) return [unlike(name, `given ${shape}, by the shadow ${otherShape}`)];
    const difference = elementwise(name, valuesOf(one), valuesOf(other));
    return difference.differing === 0 ? [] : [difference];
  });
}

function unlike(tensor: string, problem: string): TensorDifference {
  return { tensor, elements: 0, differing: 0, maxAbsolute: Number.NaN, problem };
}

type Values = ReturnType<typeof valuesOf>;

function elementwise(tensor: string, given: Values, shadow: Values): TensorDifference {
  let differing = 0;
  let maxAbsolute = Number.NaN;
  for (const [index, one] of given.entries()) {
    const other = shadow[index];
    if (typeof one !== 'number' || typeof other !== 'number') {
      if (one !== other) differing += 1;
      continue;
    }
    if (Object.is(one, other)) continue;
    const distance = Math.abs(one - other);
    if (!(distance <= tolerance * Math.max(Math.abs(one), Math.abs(other)))) differing += 1;
    if (!(distance <= maxAbsolute)) maxAbsolute = distance;
  }
  return { tensor, elements: given.length, differing, maxAbsolute, problem: '' };
}
