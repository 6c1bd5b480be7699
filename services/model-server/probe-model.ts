/** One run of a model on a row of zeros: what is slow the first time is over, and what is not there is noticed. */
import {
  type Datatype,
  MillraceError,
  type Tensor,
  type TensorData,
  type TensorSpec,
} from '../../runtime/ports/index.ts';
import type { MicroBatcher } from './micro-batcher.ts';

/** Larger inputs are not made up. */
const valuesMax = 2 ** 20;

/** Rejects when the model cannot answer now. That it does not like zeros is no reason: not every model takes them. */
export async function probeModel(batcher: MicroBatcher): Promise<void> {
  const { inputs, batch } = batcher.model.signature;
  const sizes = inputs.map(({ shape }) => shape.reduce((product, size) => product * Math.abs(size), 1));
  if (inputs.length === 0 || sizes.reduce((sum, size) => sum + size, 0) > valuesMax) return;
  try {
    await batcher.run(inputs.map(zeros), typeof batch === 'number' ? batch : 1, { admitted: true });
  } catch (error) {
    if (error instanceof MillraceError && !error.retryable && error.code !== 'INTERNAL') return;
    throw error;
  }
}

function zeros({ name, datatype, shape }: TensorSpec): Tensor {
  const sizes = shape.map(Math.abs);
  const length = sizes.reduce((product, size) => product * size, 1);
  return { name, datatype, shape: sizes, data: zeroData[datatype](length) };
}

const zeroData: Readonly<Record<Datatype, (length: number) => TensorData>> = {
  BOOL: (length) => new Array<boolean>(length).fill(false),
  BYTES: (length) => new Array<string>(length).fill(''),
  UINT8: (length) => new Uint8Array(length),
  UINT16: (length) => new Uint16Array(length),
  UINT32: (length) => new Uint32Array(length),
  UINT64: (length) => new BigUint64Array(length),
  INT8: (length) => new Int8Array(length),
  INT16: (length) => new Int16Array(length),
  INT32: (length) => new Int32Array(length),
  INT64: (length) => new BigInt64Array(length),
  FP16: (length) => new Uint16Array(length),
  FP32: (length) => new Float32Array(length),
  FP64: (length) => new Float64Array(length),
};
