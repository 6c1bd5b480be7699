/** Whether a request's tensors fit a model, judged before they are put together with those of other requests. */
import { tensorError } from '../../runtime/tensors/tensor-errors.ts';
import { MillraceError, type ModelSignature, type Tensor, type TensorSpec } from '../../runtime/ports/index.ts';

/**
 * Number of rows of the request. INVALID_ARGUMENT names the tensor, what was expected and what came. Whether an absent input has a
 * default is for the model's runtime to say.
 */
export function checkInputs(inputs: readonly Tensor[], signature: ModelSignature): number {
  if (inputs.length === 0) {
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `the request has no inputs; the model has ${described(signature.inputs)}`,
    );
  }
  let rows: number | undefined;
  for (const [index, tensor] of inputs.entries()) {
    const spec = signature.inputs.find((candidate) => candidate.name === tensor.name);
    if (spec === undefined)
      throw tensorError(tensor.name, `the model has no such input; it has ${described(signature.inputs)}`);
    if (inputs.findIndex((other) => other.name === tensor.name) !== index)
      throw tensorError(tensor.name, 'it is given twice');
    if (tensor.datatype !== spec.datatype) {
      throw tensorError(tensor.name, `datatype must be ${spec.datatype}, got ${tensor.datatype}`);
    }
    checkShape(tensor, spec);
    checkFinite(tensor);
    if (signature.batch === 'none') continue;
    const size = tensor.shape[0] ?? 1;
    if (rows !== undefined && rows !== size) {
      throw tensorError(tensor.name, `it has ${size} rows, the inputs before it have ${rows}`);
    }
    rows = size;
  }
  return rows ?? 1;
}

/** The outputs that a request names must be there. */
export function checkOutputs(names: readonly string[] | undefined, signature: Pick<ModelSignature, 'outputs'>): void {
  const unknown = names?.find((name) => !signature.outputs.some((output) => output.name === name));
  if (unknown === undefined) return;
  throw new MillraceError(
    'INVALID_ARGUMENT',
    `output '${unknown.slice(0, 80)}': the model has no such output; it has ${described(signature.outputs)}`,
    { details: { tensor: unknown } },
  );
}

function checkShape(tensor: Tensor, spec: TensorSpec): void {
  const fits =
    tensor.shape.length === spec.shape.length &&
    spec.shape.every((size, axis) => size === -1 || size === tensor.shape[axis]);
  if (!fits) throw tensorError(tensor.name, `shape must be ${shapeText(spec.shape)}, got ${shapeText(tensor.shape)}`);
}

/** A missing value has to be said by the model's own convention, never by accident. */
function checkFinite(tensor: Tensor): void {
  const { data } = tensor;
  if (!(data instanceof Float32Array) && !(data instanceof Float64Array)) return;
  for (let index = 0; index < data.length; index++) {
    if (!Number.isFinite(data[index])) {
      throw tensorError(tensor.name, `value ${index} is ${data[index]}; only finite numbers are predicted on`);
    }
  }
}

function described(specs: readonly TensorSpec[]): string {
  return specs.map(({ name, datatype, shape }) => `'${name}' ${datatype} ${shapeText(shape)}`).join(', ');
}

function shapeText(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}
