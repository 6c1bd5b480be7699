/** What needs no code: the average of several answers, and the two routers that only draw. */
import { createHash } from 'node:crypto';
import type { Branch } from '../../schemas/inference-graph.ts';
import { MillraceError, type Tensor } from '../ports/index.ts';

/** The k-th tensors of all answers, averaged as 64-bit floats, under the names that the first answer has. */
export function average(
  answers: readonly { readonly name: string; readonly tensors: readonly Tensor[] }[],
): readonly Tensor[] {
  const [first, ...others] = answers;
  if (first === undefined) return [];
  return first.tensors.map((tensor, k) => {
    const parts = [tensor, ...others.map((answer) => answerPart(answer, k, tensor))];
    for (const part of parts) checkNumeric(part);
    const data = new Float64Array(tensor.data.length);
    for (const part of parts) {
      for (let index = 0; index < data.length; index++) data[index] = (data[index] ?? 0) + Number(part.data[index]);
    }
    for (let index = 0; index < data.length; index++) data[index] = (data[index] ?? 0) / parts.length;
    if (tensor.datatype === 'FP32') return { ...tensor, data: Float32Array.from(data) };
    return { ...tensor, datatype: 'FP64', data };
  });
}

function answerPart(
  answer: { readonly name: string; readonly tensors: readonly Tensor[] },
  k: number,
  like: Tensor,
): Tensor {
  const part = answer.tensors[k];
  if (part !== undefined && part.shape.join() === like.shape.join()) return part;
  const got = part === undefined ? 'nothing' : `'${part.name}' [${part.shape.join(', ')}]`;
  throw new MillraceError(
    'INVALID_ARGUMENT',
    `the average needs tensors of one shape: '${like.name}' is [${like.shape.join(', ')}], '${answer.name}' gives ${got}; name the tensors, <node>.<tensor>`,
  );
}

function checkNumeric({ name, datatype }: Tensor): void {
  if (datatype !== 'BYTES' && datatype !== 'BOOL' && datatype !== 'FP16') return;
  throw new MillraceError(
    'INVALID_ARGUMENT',
    `tensor '${name}' is ${datatype}: only numbers (but for FP16) have an average`,
  );
}

/** The branch into which the hash of a text falls: the first 8 hex digits of its sha256, as a fraction, in the cumulative weights. */
export function drawBranch(text: string, branches: readonly Branch[]): string | undefined {
  const total = branches.reduce((sum, { weight = 1 }) => sum + weight, 0);
  let rest = hashFraction(text) * total;
  for (const { name, weight = 1 } of branches) {
    rest -= weight;
    if (rest < 0) return name;
  }
  return branches.findLast(({ weight = 1 }) => weight > 0)?.name;
}

/** In [0, 1). */
export function hashFraction(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0) / 2 ** 32;
}
